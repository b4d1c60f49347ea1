/// A place in code that a CPU was at, or was to return to.
package struct CodePlace: Hashable, Sendable {
  /// The address, without its pointer authentication code.
  package let address: UInt64
  /// Whether it is a return address: the instruction before it called. An interrupted program counter is not.
  package let isReturn: Bool

  /// Puts a place together.
  package init(_ address: UInt64, isReturn: Bool) {
    self.address = address
    self.isReturn = isReturn
  }

  /// The address to name it by. A call that does not return may be the last instruction of its function, and its
  /// return address the first of the next one.
  var named: UInt64 { isReturn ? address &- 1 : address }
}

/// A code address that a CPU was at or would return to.
package struct CodePlace: Hashable, Sendable {
  /// The address, without its pointer authentication code.
  package let address: UInt64
  /// Whether it is a return address, with the call before it, rather than an interrupted program counter.
  package let isReturn: Bool

  /// Makes a place.
  package init(_ address: UInt64, isReturn: Bool) {
    self.address = address
    self.isReturn = isReturn
  }

  /// The address to symbolise. A call that does not return may be the last instruction of its function, so that its
  /// return address belongs to the next one.
  var named: UInt64 { isReturn ? address &- 1 : address }
}

import CKva
import KernelVA

// Conversion of C arguments to Swift values, and of Swift errors to C.
//
// Safety: the pointers come from a call of a kva.h function, whose rules the caller keeps, and are used only during the
// call. NULL is rejected before it is read. A message is truncated to its buffer, less one byte for the NUL.

/// Runs `body`, and writes its failure, if any, to `error` unless that is NULL.
@inline(__always)
func answering(_ error: UnsafeMutablePointer<kva_error>?, _ body: () throws(Failure) -> Void) -> kva_code {
  do throws(Failure) {
    try body()
    return KVA_OK
  } catch let failure {
    if let error = unsafe error { unsafe report(failure, to: error) }
    return failure.code
  }
}

@inline(never)
private func report(_ failure: Failure, to error: UnsafeMutablePointer<kva_error>) {
  unsafe error.pointee = kva_error()
  unsafe error.pointee.code = Int32(bitPattern: failure.code.rawValue)
  unsafe error.pointee.address = failure.address
  unsafe withUnsafeMutableBytes(of: &error.pointee.message) { room in
    // Truncated between two characters, and terminated by the zeros already there.
    var text = Substring(failure.message)
    while text.utf8.count >= room.count { text.removeLast() }
    unsafe room.copyBytes(from: text.utf8)
  }
}

/// The dump behind a handle.
func opened(_ dump: OpaquePointer?) throws(Failure) -> OpenDump {
  guard let dump = unsafe dump else { throw .argument("the dump is NULL") }
  return unsafe Unmanaged<OpenDump>.fromOpaque(UnsafeRawPointer(dump)).takeUnretainedValue()
}

/// The text at `pointer`.
func text(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(Failure) -> String {
  guard let pointer = unsafe pointer else { throw .argument("\(what) is NULL") }
  return unsafe String(cString: pointer)
}

/// The buffer of `length` bytes at `start`.
@_lifetime(immortal)
func span(_ start: UnsafeMutableRawPointer?, _ length: Int) throws(Failure) -> MutableRawSpan {
  // A size_t that is negative in Swift is larger than memory can be.
  guard length >= 0 else { throw .argument("the length is more than memory can hold") }
  guard let start = unsafe start else {
    if length > 0 { throw .argument("the buffer is NULL") }
    return MutableRawSpan()
  }
  return unsafe _overrideLifetime(MutableRawSpan(_unsafeStart: start, byteCount: length), copying: ())
}

/// The root of user tables; nil for only the kernel's.
func root(_ tables: UInt64) -> PhysicalAddress? { tables == .max ? nil : PhysicalAddress(tables) }

import CKva
import KernelVA

// The functions of kva.h, which documents them. The compiler checks them against it.
//
// Safety: the callers keep the rules of kva.h: a dump comes from kva_open and is closed once, after all other calls; a
// text ends with NUL; a buffer has as many bytes as its length says; a result or error pointer points to one value of
// its type, or is NULL. No pointer is kept after a call.

/// The version of the interface.
@c @implementation
public func kva_abi() -> UInt32 { UInt32(KVA_ABI) }

/// Opens a dump.
@c @implementation
public func kva_open(
  _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<UnsafePointer<CChar>?>!,
  _ error: UnsafeMutablePointer<kva_error>!
) -> OpaquePointer! {
  var opened: OpaquePointer?
  _ = unsafe answering(error) { () throws(Failure) in
    let path = try unsafe text(path, "the path")
    var words: [String] = []
    while let word = unsafe options?[words.count] { unsafe words.append(String(cString: word)) }
    let dump = try OpenOptions(words).open(path)
    unsafe opened = OpaquePointer(Unmanaged.passRetained(dump).toOpaque())
  }
  return unsafe opened
}

/// Closes a dump.
@c @implementation
public func kva_close(_ dump: OpaquePointer!) {
  guard let dump = unsafe dump else { return }
  unsafe Unmanaged<OpenDump>.fromOpaque(UnsafeRawPointer(dump)).release()
}

/// Reads virtual memory.
@c @implementation
public func kva_read(
  _ dump: OpaquePointer!, _ tables: UInt64, _ address: UInt64, _ buffer: UnsafeMutableRawPointer!, _ length: Int,
  _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    var span = try unsafe span(buffer, length)
    try unsafe opened(dump).read(address, tables: root(tables), into: &span)
  }
}

/// Reads physical memory.
@c @implementation
public func kva_read_physical(
  _ dump: OpaquePointer!, _ address: UInt64, _ buffer: UnsafeMutableRawPointer!, _ length: Int,
  _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    var span = try unsafe span(buffer, length)
    try unsafe opened(dump).readPhysical(address, into: &span)
  }
}

/// Translates a virtual address.
@c @implementation
public func kva_translate(
  _ dump: OpaquePointer!, _ tables: UInt64, _ address: UInt64, _ physical: UnsafeMutablePointer<UInt64>!,
  _ length: UnsafeMutablePointer<UInt64>!, _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    let place = try unsafe opened(dump).translate(address, tables: root(tables))
    unsafe physical?.pointee = place.physical
    unsafe length?.pointee = place.length
  }
}

/// Looks up a symbol.
@c @implementation
public func kva_find(
  _ dump: OpaquePointer!, _ query: UnsafePointer<CChar>!, _ address: UnsafeMutablePointer<UInt64>!,
  _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    let found = try unsafe opened(dump).find(text(query, "the query"))
    unsafe address?.pointee = found
  }
}

/// Looks up the root table of a user space.
@c @implementation
public func kva_find_tables(
  _ dump: OpaquePointer!, _ text: UnsafePointer<CChar>!, _ tables: UnsafeMutablePointer<UInt64>!,
  _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    let found = try unsafe opened(dump).findTables(KernelVAC.text(text, "the name of the tables"))
    unsafe tables?.pointee = found
  }
}

/// Writes an ELF core of the notes.
@c @implementation
public func kva_core(
  _ dump: OpaquePointer!, _ buffer: UnsafeMutableRawPointer!, _ capacity: Int, _ length: UnsafeMutablePointer<Int>!,
  _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    let core = try unsafe opened(dump).core()
    var target = try unsafe span(buffer, capacity)
    _ = target.copy(core.rawSpan.extracting(first: capacity))
    unsafe length?.pointee = core.count
  }
}

/// Looks up a symbol of the kernel.
@c @implementation
public func kva_find_symbol(
  _ dump: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ symbol: UnsafeMutablePointer<kva_symbol>!,
  _ error: UnsafeMutablePointer<kva_error>!
) -> kva_code {
  unsafe answering(error) { () throws(Failure) in
    let found = try unsafe opened(dump).symbol(text(name, "the name"))
    unsafe symbol?.pointee = kva_symbol(
      address: found.address, size: found.size, type: UInt32(found.type ?? 0), reserved: 0)
  }
}

/// Reads memory for a program that makes its own errors.
@c @implementation
public func kva_read_segment(
  _ buffer: UnsafeMutableRawPointer!, _ address: UInt64, _ count: Int, _ offset: UInt64,
  _ reader: UnsafeMutableRawPointer!, _ physical: Bool
) -> UnsafeMutableRawPointer! {
  guard let reader = unsafe reader?.assumingMemoryBound(to: kva_reader.self).pointee else { return nil }
  do throws(Failure) {
    var target = try unsafe span(buffer, count)
    if physical {
      try unsafe opened(reader.dump).readPhysical(address, into: &target)
    } else {
      try unsafe opened(reader.dump).read(address, tables: root(reader.tables), into: &target)
    }
    return nil
  } catch {
    return unsafe error.message.withCString { unsafe reader.fault?($0, error.address) }
  }
}

import Bytes
import DebugInfo

/// The symbols of one module, from its own kallsyms: the part of its ELF symbol table that it keeps after loading,
/// relocated. Looked up in place.
///
///     Elf64_Sym: st_name u32 | st_info u8 | st_other u8 | st_shndx u16 | st_value u64 | st_size u64
///
/// (include/linux/module.h, `struct mod_kallsyms`; kernel/module/kallsyms.c, `add_kallsyms`)
struct ModuleKallsyms: Sendable {
  private let module: String
  private let entries: [UInt8]
  private let strings: [UInt8]
  private let letters: [UInt8]?

  private static let entrySize = 24

  /// Reads the tables at these addresses; nil if they are unreadable or malformed.
  ///
  /// - Parameter room: how many more bytes the modules' tables may take.
  init?(
    of module: KernelModule, in space: KernelMemory, entries: UInt64, count: UInt64, strings: UInt64, letters: UInt64?,
    _ room: Budget
  ) {
    guard count > 0, count <= UInt64(Limits.symbols),
      let table = space.bytes(at: entries, count: Int(count) * Self.entrySize)
    else { return nil }
    self.module = module.name
    self.entries = table
    self.letters = letters.flatMap { space.bytes(at: $0, count: Int(count)) }
    // The string table's length follows from the names; it lies in the module's memory.
    var last: UInt64 = 0
    for number in 0..<Int(count) { last = max(last, UInt64(table.word32(number * Self.entrySize))) }
    let end = module.regions.first { strings >= $0.start && strings < $0.end }?.end ?? strings
    let length = min(last &+ UInt64(Limits.symbolName), end &- strings, UInt64(Limits.moduleStrings))
    guard length > 0, let text = space.bytes(in: strings..<(strings &+ length)) else { return nil }
    self.strings = text
    guard room.spend(table.count + text.count) else { return nil }
  }

  private var count: Int { entries.count / Self.entrySize }

  @inline(__always)
  private func word(_ number: Int, _ offset: Int) -> UInt64 {
    let at = number * Self.entrySize + offset
    return UInt64(entries.word32(at)) | UInt64(entries.word32(at + 4)) << 32
  }

  /// Whether entry `number` is a symbol of the module: defined, and with a readable name.
  @inline(__always)
  private func isSymbol(_ number: Int) -> Bool {
    let name = Int(entries.word32(number * Self.entrySize))
    return entries.word32(number * Self.entrySize + 4) >> 16 != 0 && name < strings.count && strings[name] != 0
  }

  /// Whether the name of entry `number` consists of printable characters, which overwritten names seldom do. GNU as has
  /// 1 and 2 in the names of local labels. (gas/symbols.c, `DOLLAR_LABEL_CHAR`, `LOCAL_LABEL_CHAR`)
  private func isReadable(_ number: Int) -> Bool {
    strings[Int(entries.word32(number * Self.entrySize))...].prefix(Limits.symbolName).prefix { $0 != 0 }
      .allSatisfy { (0x21...0x7e).contains($0) || $0 == 1 || $0 == 2 }
  }

  /// Whether entry `number` is an assembler label, which the kernel lists but never uses to symbolise.
  /// (`is_mapping_symbol`, include/linux/module_symbol.h; `find_kallsyms_symbol`, kernel/module/kallsyms.c)
  @inline(__always)
  private func isLabel(_ number: Int) -> Bool {
    let name = Int(entries.word32(number * Self.entrySize))
    return strings[name] == UInt8(ascii: "$")
      || strings[name] == UInt8(ascii: ".") && name + 1 < strings.count && strings[name + 1] == UInt8(ascii: "L")
  }

  private func isName(_ number: Int, _ wanted: [UInt8]) -> Bool {
    let name = Int(entries.word32(number * Self.entrySize))
    guard name + wanted.count < strings.count, strings[name + wanted.count] == 0 else { return false }
    for offset in 0..<wanted.count where strings[name + offset] != wanted[offset] { return false }
    return true
  }

  private func symbol(_ number: Int, size: UInt64? = nil) -> Symbol {
    let name = Int(entries.word32(number * Self.entrySize))
    let end = strings[name...].prefix(Limits.symbolName).firstIndex(of: 0) ?? strings.endIndex
    return Symbol(
      name: String(decoding: strings[name..<end], as: UTF8.self), address: word(number, 8),
      size: size ?? word(number, 16), type: letters?[number] ?? entries[number * Self.entrySize + 4], module: module)
  }

  /// The first symbol of exactly this name.
  func symbol(named name: String) -> Symbol? {
    let wanted = Array(name.utf8)
    guard !wanted.isEmpty else { return nil }
    for number in 1..<max(1, count) where isSymbol(number) && isName(number, wanted) { return symbol(number) }
    return nil
  }

  /// The nearest symbol at or below `address`, which is in `range` of the module's memory. It extends to the next one,
  /// as in the kernel's output; assembler labels ("$x", ".L4") are ignored.
  func symbol(containing address: UInt64, in range: KernelModule.MemoryRange) -> Symbol? {
    var best: (number: Int, start: UInt64)?
    var next = range.end
    for number in 1..<max(1, count) {
      let start = word(number, 8)
      guard start >= range.start, start < range.end, isSymbol(number), !isLabel(number) else { continue }
      if start > address {
        next = min(next, start)
      } else if best.map({ $0.start < start }) ?? true {
        best = (number, start)
      }
    }
    return best.flatMap { isReadable($0.number) ? symbol($0.number, size: next - $0.start) : nil }
  }

  /// Calls `body` with each symbol until it returns false; returns whether it never did.
  func forEachSymbol(_ body: (Symbol) -> Bool) -> Bool {
    for number in 1..<max(1, count) where isSymbol(number) && isReadable(number) && !body(symbol(number)) {
      return false
    }
    return true
  }
}

/// The symbols of modules, each module's read on first use.
struct ModuleSymbols: SymbolSource {
  /// A module and its table, in the order of the list.
  let tables: Lazy<[(module: KernelModule, table: Lazy<ModuleKallsyms?>)]>
  var origin: String { "kallsyms of the modules" }

  /// The modules whose symbols cannot be read.
  var unreadable: [String] { tables.value.filter { $0.table.value == nil }.map(\.module.name) }

  func symbol(named name: String) -> Symbol? {
    tables.value.lazy.compactMap { $0.table.value?.symbol(named: name) }.first
  }

  func symbol(named name: String, module: String) -> Symbol? {
    tables.value.first { $0.module.name == module }?.table.value?.symbol(named: name)
  }

  /// The nearest symbol of the module that `address` is in; nil below its first.
  func symbol(containing address: UInt64) -> Symbol? {
    for (module, table) in tables.value {
      guard let range = module.regions.first(where: { address >= $0.start && address < $0.end }) else { continue }
      return table.value?.symbol(containing: address, in: range)
    }
    return nil
  }

  func forEachSymbol(_ body: (Symbol) -> Bool) {
    for (_, table) in tables.value {
      guard table.value?.forEachSymbol(body) ?? true else { return }
    }
  }
}

import Foundation

/// What an entry's facts.json says of the machine.
public struct Facts: Decodable, Sendable {
  /// The page size in bytes.
  public let pageSize: UInt64
  /// CONFIG_ARM64_VA_BITS.
  public let vaBits: Int
  /// VA_BITS_MIN.
  public let vaBitsMin: Int
  /// 64 - TCR_EL1.T1SZ.
  public let vaBitsActual: Int
  /// Whether TCR_EL1.DS is set (LPA2).
  public let hasDS: Bool
  /// The KASLR offset.
  public let kaslrOffset: UInt64
  /// PHYS_OFFSET.
  public let physOffset: UInt64
  /// kimage_voffset.
  public let kimageVoffset: UInt64
  /// The virtual address of swapper_pg_dir.
  public let swapperPgDir: UInt64
  /// `uname -r`.
  public let release: String
  /// The notes of the dump: "OWNER/0xTYPE".
  public let notes: [String]
  /// Whether the kernel was unmapped while user space ran (KPTI).
  public let hasKPTI: Bool
  /// Whether a CPU was stopped at EL0, so that the MMU answered for user addresses.
  public let hasUserSpace: Bool
  /// Whether a stage 2 of pKVM stood behind the host's stage 1: the emulated MMU's faults include those of stage 2.
  public let hasHostStage2: Bool
  /// The exception level of the kernel: "EL1", or "EL2 ..." under VHE.
  public let kernelAt: String

  private enum CodingKeys: String, CodingKey {
    case pageSize = "page_size"
    case vaBits = "VA_BITS"
    case vaBitsMin = "VA_BITS_MIN"
    case vaBitsActual = "va_bits_actual_from_TCR_T1SZ"
    case hasDS = "TCR_DS"
    case kaslrOffset = "kaslr_offset"
    case physOffset = "PHYS_OFFSET"
    case kimageVoffset = "kimage_voffset"
    case swapperPgDir = "swapper_pg_dir"
    case hasKPTI = "KPTI"
    case kernelAt = "kernel_at"
    case userMapped = "user_mapped"
    case hostStage2 = "host_stage2"
    case release, notes
  }

  /// Reads the file's fields; addresses are hex, with or without 0x.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    func address(_ key: CodingKeys) throws -> UInt64 {
      try parseAddress(fields.decode(String.self, forKey: key))
    }
    pageSize = try fields.decode(UInt64.self, forKey: .pageSize)
    vaBits = try fields.decode(Int.self, forKey: .vaBits)
    vaBitsMin = try fields.decode(Int.self, forKey: .vaBitsMin)
    vaBitsActual = try fields.decode(Int.self, forKey: .vaBitsActual)
    hasDS = try fields.decode(Int.self, forKey: .hasDS) == 1
    kaslrOffset = try address(.kaslrOffset)
    physOffset = try address(.physOffset)
    kimageVoffset = try address(.kimageVoffset)
    swapperPgDir = try address(.swapperPgDir)
    release = try fields.decode(String.self, forKey: .release)
    notes = try fields.decode([String].self, forKey: .notes)
    hasKPTI = try fields.decode(Bool.self, forKey: .hasKPTI)
    hasUserSpace = try fields.decode(Int.self, forKey: .userMapped) > 0
    hasHostStage2 = try fields.decodeIfPresent(Bool.self, forKey: .hostStage2) ?? false
    kernelAt = try fields.decode(String.self, forKey: .kernelAt)
  }
}

/// The number in `text`: hex, with or without 0x.
public func parseAddress(_ text: String) throws -> UInt64 {
  guard let value = UInt64(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16) else {
    throw TestSupportError("not an address: \(text)")
  }
  return value
}

/// An address and what the emulated MMU made of it.
public struct MMUSample: Decodable, Sendable {
  /// The address as it was asked.
  public let virtual: UInt64
  /// Its physical address; nil when the MMU faulted.
  public let physical: UInt64?
  /// Why it was asked, such as "sym:vectors".
  public let origin: String

  /// Whether its top byte was changed to see what becomes of it.
  public var hasTag: Bool { origin.contains("tagged") || origin.contains("wrong-top-byte") }

  /// Reads `[virtual, physical or null, origin]`.
  public init(from decoder: any Decoder) throws {
    var fields = try decoder.unkeyedContainer()
    virtual = try parseAddress(fields.decode(String.self))
    physical = try fields.decodeNil() ? nil : parseAddress(fields.decode(String.self))
    origin = try fields.decode(String.self)
  }
}

/// Bytes read through the machine.
public struct MMUBytes: Decodable, Sendable {
  /// The index of the set whose CPU they were read on.
  public let set: Int
  /// Where they begin.
  public let virtual: UInt64
  /// Where that is in physical memory.
  public let physical: UInt64
  /// The bytes.
  public let bytes: [UInt8]
  /// Whether QEMU's dump holds the same at `physical`.
  public let isSameInDump: Bool

  private enum CodingKeys: String, CodingKey {
    case set, va, pa, bytes
    case same = "same_in_vmcore_elf"
  }

  /// Reads an object of the list `bytes`.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    set = try fields.decode(Int.self, forKey: .set)
    virtual = try parseAddress(fields.decode(String.self, forKey: .va))
    physical = try parseAddress(fields.decode(String.self, forKey: .pa))
    bytes = try parseBytes(fields.decode(String.self, forKey: .bytes))
    isSameInDump = try fields.decodeIfPresent(Bool.self, forKey: .same) ?? true
  }
}

/// The bytes that `text`, two hex digits each, stands for.
public func parseBytes(_ text: String) throws -> [UInt8] {
  let digits = try text.utf8.map { digit in
    guard let value = UInt8(String(UnicodeScalar(digit)), radix: 16) else {
      throw TestSupportError("not hex digits: \(text)")
    }
    return value
  }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The emulated MMU's answers: an entry's oracle/gva2gpa.json.
public struct MMUOracle: Decodable, Sendable {
  /// Addresses asked on one CPU.
  public struct Group: Decodable, Sendable {
    /// What was asked, in words.
    public let what: String
    /// The CPU.
    public let cpu: Int
    /// "EL0", "EL1" or "EL2".
    public let EL: String
    /// The answers.
    public let samples: [MMUSample]
  }

  private let sets: [Group]
  private let bytes: [MMUBytes]
  private let page_size: UInt64

  /// Kernel addresses asked on a CPU in the kernel, those with a tag left out.
  public var kernelSamples: [MMUSample] { asked.filter { !$0.hasTag } }

  /// Kernel addresses asked on a CPU in the kernel with something in their top byte.
  public var taggedSamples: [MMUSample] { asked.filter(\.hasTag) }

  /// Addresses of user space asked on CPUs at EL0, by the CPU. The answers include whether EL0 may access.
  public var userSamples: [(cpu: Int, samples: [MMUSample])] {
    sets.filter { $0.what.hasPrefix("user addresses") }.map { ($0.cpu, $0.samples) }
  }

  private var asked: [MMUSample] {
    sets.filter { $0.what.hasPrefix("kernel addresses, CPU at EL") }.flatMap(\.samples)
  }

  /// Bytes read on a CPU in the kernel, within one page. Others were read on by physical address, also
  /// where the next page is another one or none.
  public var kernelBytes: [MMUBytes] { wholeBytes.filter { sets[$0.set].EL != "EL0" } }

  /// Bytes read on any CPU, within one page.
  public var wholeBytes: [MMUBytes] {
    bytes.filter { $0.isSameInDump && $0.virtual % page_size + UInt64($0.bytes.count) <= page_size }
  }
}

extension DumpEntry {
  /// Its facts.json.
  ///
  /// What newer entries leave out is taken from the other files: the addresses from the text of the VMCOREINFO
  /// note. KPTI was read off the TTBR1 of a CPU at EL0; where none was there, the kernel's own mappings show it:
  /// they are nG with KPTI and global without.
  public func facts() throws -> Facts {
    guard var object = try JSONSerialization.jsonObject(with: data("facts.json")) as? [String: Any] else {
      throw TestSupportError("\(name): facts.json is no object")
    }
    let note = try vmcoreinfo()
    for (key, line) in [
      ("PHYS_OFFSET", "NUMBER(PHYS_OFFSET)"), ("kimage_voffset", "NUMBER(kimage_voffset)"),
      ("swapper_pg_dir", "SYMBOL(swapper_pg_dir)"),
    ] where object[key] == nil {
      object[key] = note[line]
    }
    if object["user_mapped"] as? Int == 0 {
      object["KPTI"] = try lines("oracle/kernel_page_tables.txt").contains { $0.contains(" NG ") }
    }
    return try JSONDecoder().decode(Facts.self, from: JSONSerialization.data(withJSONObject: object))
  }

  /// Its oracle/gva2gpa.json.
  public func mmu() throws -> MMUOracle {
    try JSONDecoder().decode(MMUOracle.self, from: data("oracle/gva2gpa.json"))
  }

  /// The registers of each CPU by name, from oracle/sysregs.json.
  public func registers() throws -> [[String: UInt64]] {
    struct CPU: Decodable { let regs: [String: String] }
    struct File: Decodable { let vcpus: [CPU] }
    return try JSONDecoder().decode(File.self, from: data("oracle/sysregs.json")).vcpus.map { cpu in
      cpu.regs.compactMapValues { try? parseAddress($0) }
    }
  }

  /// The kernel's own symbols by name, where a name stands for one address only; no module's.
  public func kallsyms() throws -> [String: UInt64] {
    var symbols: [String: Set<UInt64>] = [:]
    for line in try lines("oracle/kallsyms.txt") {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.count == 3 {
        symbols[String(words[2]), default: []].insert(try parseAddress(String(words[0])))
      }
    }
    return symbols.compactMapValues { $0.count == 1 ? $0.first : nil }
  }
}

import Bytes
import CrashDump
import VMSA

extension KernelContext {
  /// VMCOREINFO as other tools need it: the dump's own text, plus the lines that they need and it lacks, derived from
  /// the facts found.
  var completeVMCoreInfo: [UInt8] {
    var text = vmcoreinfo?.text ?? []
    if let last = text.last, last != UInt8(ascii: "\n") { text.append(UInt8(ascii: "\n")) }
    func digits(_ value: UInt64?) -> String? { value.map { String($0, radix: 16) } }
    let facts = facts
    // A name is looked up only if the line is missing.
    func address(_ name: String) -> String? { digits(symbols.symbol(named: name)?.address) }
    let lines: [(key: String, value: () -> String?)] = [
      ("OSRELEASE", { facts.release?.value }),
      ("BUILD-ID", { facts.buildID?.value }),
      ("PAGESIZE", { "\(facts.granule.value.size)" }),
      ("SYMBOL(swapper_pg_dir)", { digits(facts.swapperVirtual?.value.rawValue) }),
      ("SYMBOL(_stext)", { address("_stext") }),
      ("SYMBOL(init_uts_ns)", { address("init_uts_ns") }),
      ("NUMBER(VA_BITS)", { "\(facts.vaBits.value)" }),
      ("NUMBER(TCR_EL1_T1SZ)", { "0x" + String(64 - facts.vaBitsActual.value, radix: 16) }),
      ("NUMBER(kimage_voffset)", { digits(facts.kimageVoffset?.value).map { "0x" + $0 } }),
      ("NUMBER(PHYS_OFFSET)", { digits(facts.physOffset?.value).map { "0x" + $0 } }),
      ("KERNELOFFSET", { digits(facts.kaslrOffset?.value) }),
    ]
    for (key, value) in lines where vmcoreinfo?.value(key) == nil {
      if let value = value() { text += Array("\(key)=\(value)\n".utf8) }
    }
    return text
  }
}

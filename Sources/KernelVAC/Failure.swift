import CKva
import KernelVA

/// Why a call failed. The message is made only if the caller wants it.
enum Failure: Error {
  /// The caller broke a rule of `kva.h`.
  case argument(String)
  /// An option of `kva_open`, and what is wrong with it.
  case option(String)
  /// A file cannot be used.
  case file(LocatedError)
  /// There is no kernel in the dump.
  case noKernel(LocatedError)
  /// A query leads to no address.
  case query(QueryFailure)
  /// The kernel has no symbol of this name.
  case symbol(String)
  /// The requested user tables do not exist.
  case noTables(String)
  /// A walk through the kernel's tables, or those of `user`, ended without a mapping.
  case unmapped(VirtualAddress, WalkResult, Kernel, user: TranslationRegime?)
  /// The memory at an address, virtual or physical as requested, is not in the dump.
  case absent(UInt64, MemoryFault, DumpFile)
}

extension Failure {
  /// Its code in `kva.h`.
  var code: kva_code {
    switch self {
    case .argument: KVA_BAD_ARGUMENT
    case .option: KVA_BAD_OPTION
    case .file: KVA_UNUSABLE_FILE
    case .noKernel: KVA_NO_KERNEL
    case .query(let failure): failure.status == .unknownSymbol ? KVA_UNKNOWN_SYMBOL : KVA_BAD_ARGUMENT
    case .symbol: KVA_UNKNOWN_SYMBOL
    case .noTables: KVA_NO_TABLES
    case .unmapped(let address, let result, let kernel, let user):
      user == nil && !address.isUpperHalf && address.untagged.isCanonical(bits: kernel.regime.addressBits)
        ? KVA_NO_TABLES : Self.code(result)
    case .absent(_, let fault, _): Self.code(fault.absence)
    }
  }

  private static func code(_ result: WalkResult) -> kva_code {
    switch result {
    case .mapped: KVA_OK
    case .unmapped: KVA_UNMAPPED
    case .tableMissing: KVA_TABLE_MISSING
    case .corrupt: KVA_CORRUPT
    case .notCanonical: KVA_NOT_CANONICAL
    }
  }

  private static func code(_ absence: Absence) -> kva_code {
    switch absence {
    case .notInDump: KVA_NOT_IN_DUMP
    case .filtered: KVA_FILTERED
    case .cutOff: KVA_CUT_OFF
    case .lost: KVA_LOST
    case .damaged: KVA_DAMAGED
    case .inMissingPart: KVA_IN_MISSING_PART
    case .unreadable: KVA_UNREADABLE
    }
  }

  /// The first unreadable address; 0 if no address is concerned.
  var address: UInt64 {
    switch self {
    case .unmapped(let address, _, _, _): address.rawValue
    case .absent(let address, _, _): address
    default: 0
    }
  }

  /// What is wrong, in one line.
  var message: String {
    switch self {
    case .argument(let message), .option(let message), .noTables(let message): message
    case .symbol(let name): "no source of symbols knows \(name)"
    case .file(let error), .noKernel(let error): error.description
    case .query(let failure): failure.message
    case .unmapped(let address, _, let kernel, let user): kernel.resolve(address, user: user).unreadable.text
    case .absent(_, let fault, let dump): dump.describe(fault)
    }
  }
}

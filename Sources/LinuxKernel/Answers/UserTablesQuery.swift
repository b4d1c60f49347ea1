import Bytes
import DebugInfo
import VMSA

/// Finds the user tables that a query names.
struct UserTablesQuery {
  let tables: UserTables
  let tasks: Lazy<Listing<KernelTask>>
  /// The CPUs; reading them needs tasks and types.
  let cpus: () -> [CPUState]
  let context: KernelContext

  /// The root of the tables for EFI runtime services, in the lower half like those of a process; nil if the kernel has
  /// none. (`efi_mm`, drivers/firmware/efi/efi.c)
  private var efiRoot: PhysicalAddress? {
    guard let mm = context.symbols.symbol(named: "efi_mm")?.address,
      let pgd = StructView(space: context.memory, address: mm).pointer(
        context.types.value.member("pgd", of: "mm_struct")), pgd != 0
    else { return nil }
    return context.memory.leaf(at: pgd)?.physical
  }

  /// The user tables that `text` names: 0x and a physical address, a PID, cpuN, or "efi".
  func regime(_ text: String) -> Result<TranslationRegime, QueryFailure> {
    func fail(_ code: Diagnostic.Code, _ message: String) -> Result<TranslationRegime, QueryFailure> {
      .failure(QueryFailure(.badQuery, Diagnostic(code, text, message)))
    }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      guard let value = Query.number(text) else {
        return fail(.queryMalformed, "'\(text)' is no physical address: give 0x and up to 16 hex digits")
      }
      guard let root = tables.root(value) else {
        return fail(.noRootTable, "no root table begins at '\(text)': give its physical address, or the value of TTBR0")
      }
      return .success(tables.regime(root: root))
    }
    if text == "efi" {
      guard let root = efiRoot else {
        return fail(.userTablesUnknown, "the kernel has no tables of EFI, or efi_mm is not known")
      }
      return .success(tables.regime(root: root))
    }
    if text.hasPrefix("cpu"), let number = Int(text.dropFirst(3)) {
      guard let state = cpus().first(where: { $0.cpu == number }) else {
        return fail(.noSuchCPU, "there is no CPU \(number)")
      }
      guard let root = state.userTables else {
        return fail(
          .userTablesUnknown,
          "the user tables of CPU \(number) cannot be found: \(tasks.value.notes.first?.text ?? "its task is not known"); "
            + "give their physical address")
      }
      return .success(tables.regime(root: root))
    }
    guard let pid = Int(text), pid >= 0 else {
      return fail(.queryMalformed, "'\(text)' is neither a PID, cpuN, efi nor 0x and an address")
    }
    guard let task = tasks.value.elements.first(where: { $0.pid == pid }) else {
      let words = "there is no task with PID \(pid)"
      return tasks.value.notes.first.map { .failure(QueryFailure(.badQuery, $0.explaining(words))) }
        ?? fail(.noSuchTask, words)
    }
    guard task.mm != nil else {
      return fail(
        .kernelThread,
        "PID \(pid) (\(task.comm)) is a kernel thread: it has no user space; a CPU that runs one keeps the tables of "
          + "the process before, which cpuN asks for")
    }
    guard let root = task.root else { return fail(.userTablesUnknown, "the root table of PID \(pid) cannot be read") }
    return .success(tables.regime(root: root))
  }
}

extension Kernel {
  /// All checks: those made at opening and those that need symbols.
  package var fullVerification: CrossChecks {
    var result = verification
    result.checkBanner(
      facts, at: symbols.symbol(named: "linux_banner")?.address, space, ReadOnlyDataScan(space, vmcoreinfo))
    return result
  }
}

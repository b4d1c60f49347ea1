import DebugInfo

extension Kernel {
  /// The evaluator of C expressions over the dump.
  package var evaluator: Evaluator { contents.evaluator }
}

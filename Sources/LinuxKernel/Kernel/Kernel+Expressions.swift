import DebugInfo

extension Kernel {
  /// What evaluates C expressions over the dump.
  package var evaluator: Evaluator { contents.evaluator }
}

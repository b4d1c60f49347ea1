import Glibc

/// The number of usable processors.
enum ProcessorCount {
  /// Those that are online; 1 if the system does not say.
  static var online: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

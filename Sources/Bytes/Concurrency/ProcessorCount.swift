import Glibc

/// How many processors there are to work with.
enum ProcessorCount {
  /// Those that are online; 1 if the system does not say.
  static var online: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// `linux_banner`: "Linux version 6.1.0 (builder@host) (compiler) #1 SMP ..." (init/version.c)
enum KernelBanner {
  static let prefix = "Linux version "

  /// The release that a banner names; nil if `text` is not a banner.
  static func release(_ text: String) -> String? {
    guard text.hasPrefix(prefix) else { return nil }
    let release = text.dropFirst(prefix.count).prefix { $0 != " " }
    return release.first?.isNumber ?? false ? String(release) : nil
  }
}

import Foundation
import TestSupport
import Testing

/// The mounts of a process, against /proc/mounts of the guest.
@Suite struct MountTests {
  private static let dumps = DumpEntry.corpus.filter { $0.has("oracle/rich/mounts.txt") }.flatMap(\.elfDumps)
  /// The options that a filesystem prints itself.
  private static let own = ["size=", "nr_inodes=", "mode=", "inode64"]

  @Test("Mounts are those of /proc/mounts", .enabled(if: !dumps.isEmpty), arguments: dumps)
  func listed(_ dump: Dump) throws {
    let wanted = try dump.entry.lines("oracle/rich/mounts.txt").filter { !$0.isEmpty }.map { line in
      let words = line.split(separator: " ").map(String.init)
      let options = words[3].split(separator: ",").filter { word in !Self.own.contains { word.hasPrefix($0) } }
      return [words[0], words[1], words[2], options.joined(separator: ",")]
    }
    #expect(wanted.count > 4)
    let mounts = try Kva.run(["mounts", dump.path(), "--json"]).objects()
    let found = mounts.map { mount in
      ["source", "target", "type"].map { mount[$0] as? String ?? "" }
        + [(mount["options"] as? [String])?.joined(separator: ",") ?? ""]
    }
    #expect(found == wanted)
    let ids = mounts.compactMap { $0["id"] as? Int }
    #expect(Set(ids).count == wanted.count)
    // The root is mounted on one that no process sees, since 7.0.
    #expect(mounts.allSatisfy { ids.contains($0["parent"] as? Int ?? -1) || $0["target"] as? String == "/" })
  }
}

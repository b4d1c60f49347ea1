import TestSupport
import Testing
import VMSA

/// What a leaf allows, by its own bits and by those of the tables above. (Arm ARM D8.3.3, D8.4)
@Suite struct AttributesTests {
  /// All that is decoded, with the values of a leaf whose attribute bits are all zero.
  struct Decoded: Equatable {
    var writable = true
    var user = false
    var executableEL1 = true
    var executableEL0 = true
    var accessed = false
    var global = true
    var dirtyBitModifier = false
    var contiguous = false
    var guarded = false
    var attrIndex = 0
    var shareability: Attributes.Shareability? = Attributes.Shareability.nonShareable

    init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    init(_ leaf: Leaf, _ format: DescriptorFormat) {
      writable = leaf.attributes.isWritable
      user = leaf.attributes.isUser
      executableEL1 = leaf.attributes.isExecutableEL1
      executableEL0 = leaf.attributes.isExecutableEL0
      accessed = leaf.attributes.isAccessed
      global = leaf.attributes.isGlobal
      dirtyBitModifier = leaf.attributes.hasDirtyBitModifier
      contiguous = leaf.attributes.isContiguous
      guarded = leaf.attributes.isGuarded
      attrIndex = leaf.attributes.attrIndex
      shareability = leaf.attributes.shareability(format)
    }
  }

  /// Maps a page or block with `attributes` and decodes what a walk finds.
  static func decode(
    _ shape: Shape, level: Int, attributes: UInt64, tables: [Int: UInt64] = [:]
  ) throws -> Decoded {
    var writer = shape.writer()
    writer.map(shape.address, to: 0, level: level, attributes: attributes, tableAttributes: tables)
    return Decoded(try #require(shape.walk(writer).leaf), shape.format)
  }

  /// What each set of leaf bits means.
  static let meanings: [(bits: [Int], Decoded)] = [
    ([], Decoded()),
    // AttrIndx
    ([2], Decoded { $0.attrIndex = 1 }),
    ([3], Decoded { $0.attrIndex = 2 }),
    ([2, 3], Decoded { $0.attrIndex = 3 }),
    ([4], Decoded { $0.attrIndex = 4 }),
    ([2, 4], Decoded { $0.attrIndex = 5 }),
    ([3, 4], Decoded { $0.attrIndex = 6 }),
    ([2, 3, 4], Decoded { $0.attrIndex = 7 }),
    // NS means nothing outside the secure state.
    ([5], Decoded()),
    // AP[2:1]: a page that EL0 may write is never executed at EL1.
    ([6], Decoded { ($0.user, $0.executableEL1) = (true, false) }),
    ([7], Decoded { $0.writable = false }),
    ([6, 7], Decoded { ($0.user, $0.writable) = (true, false) }),
    // SH
    ([8], Decoded { $0.shareability = .reserved }),
    ([9], Decoded { $0.shareability = .outer }),
    ([8, 9], Decoded { $0.shareability = .inner }),
    ([10], Decoded { $0.accessed = true }),
    ([11], Decoded { $0.global = false }),
    ([50], Decoded { $0.guarded = true }),
    // DBM: read-only for now, writable at the first write.
    ([51], Decoded { $0.dirtyBitModifier = true }),
    ([7, 51], Decoded { $0.dirtyBitModifier = true }),
    ([6, 7, 51], Decoded { ($0.user, $0.dirtyBitModifier, $0.executableEL1) = (true, true, false) }),
    ([52], Decoded { $0.contiguous = true }),
    ([53], Decoded { $0.executableEL1 = false }),
    ([54], Decoded { $0.executableEL0 = false }),
    // Software's
    ([55], Decoded()), ([56], Decoded()), ([57], Decoded()), ([58], Decoded()),
    // PBHA or POIndex, and ignored bits: those of tables restrict at these places, those of leaves do not.
    ([59], Decoded()), ([60], Decoded()), ([61], Decoded()), ([62], Decoded()), ([63], Decoded()),
  ]

  @Test(arguments: Shape.all)
  func eachBitMeansWhatArmSays(_ shape: Shape) throws {
    for level in shape.leaves {
      for (bits, meaning) in Self.meanings {
        // Under LPA2 bits 9:8 are address; shareability comes from TCR_EL1.
        if shape.encoding == .lpa2 && (bits.contains(8) || bits.contains(9)) { continue }
        var expected = meaning
        if shape.encoding == .lpa2 { expected.shareability = nil }
        let attributes = bits.reduce(0) { $0 | 1 << UInt64($1) as UInt64 }
        let decoded = try Self.decode(shape, level: level, attributes: attributes)
        #expect(decoded == expected, "bits \(bits) at level \(level)")
      }
    }
  }

  @Test func addressBitsAreNoShareabilityUnderLPA2() throws {
    for shape in Shape.all where shape.encoding == .lpa2 {
      var writer = shape.writer()
      writer.map(shape.address, to: 0xc_0000_0000_0000)
      let leaf = try #require(shape.walk(writer).leaf)
      #expect(leaf.attributes.shareability(shape.format) == nil)
      #expect(leaf.attributes.descriptor.rawValue & 0x300 == 0x300)
    }
  }

  /// Each table bit alone, in each table above each leaf, over a leaf of the kernel and one of EL0.
  @Test(arguments: Shape.all)
  func eachTableCanOnlyTakeRightsAway(_ shape: Shape) throws {
    let user: UInt64 = 1 << 6
    let clean: UInt64 = 1 << 7 | 1 << 51
    let cases: [(table: Int, leaf: UInt64, Decoded)] = [
      // PXNTable
      (59, 0, Decoded { $0.executableEL1 = false }),
      (59, user, Decoded { ($0.user, $0.executableEL1) = (true, false) }),
      // UXNTable
      (60, 0, Decoded { $0.executableEL0 = false }),
      (60, user, Decoded { ($0.user, $0.executableEL1, $0.executableEL0) = (true, false, false) }),
      // APTable[0]: EL0 has no access, and so cannot have written what EL1 executes.
      (61, 0, Decoded()),
      (61, user, Decoded()),
      // APTable[1]: nobody writes; that goes for EL0 as well.
      (62, 0, Decoded { $0.writable = false }),
      (62, user, Decoded { ($0.user, $0.writable) = (true, false) }),
      (62, clean, Decoded { ($0.writable, $0.dirtyBitModifier) = (false, true) }),
      // NSTable means nothing outside the secure state.
      (63, 0, Decoded()),
      (63, user, Decoded { ($0.user, $0.executableEL1) = (true, false) }),
    ]
    for leaf in shape.leaves {
      for level in shape.start..<leaf {
        for (bit, attributes, meaning) in cases {
          var expected = meaning
          if shape.encoding == .lpa2 { expected.shareability = nil }
          let decoded = try Self.decode(
            shape, level: leaf, attributes: attributes, tables: [level: 1 << UInt64(bit)])
          #expect(decoded == expected, "bit \(bit) of level \(level) over \(hex(attributes)) at \(leaf)")
        }
      }
    }
  }

  @Test func restrictionsOfSeveralTablesAddUp() throws {
    let decoded = try Self.decode(
      Shape.all[4], level: 3, attributes: 1 << 6,
      tables: [-1: 1 << 59, 0: 1 << 60, 1: 1 << 61, 2: 1 << 62])
    let expected = Decoded {
      ($0.writable, $0.user, $0.executableEL1, $0.executableEL0) = (false, false, false, false)
      $0.shareability = nil
    }
    #expect(decoded == expected)
  }

  /// Entries as Linux 6.1 writes them. (asm/pgtable-prot.h)
  @Test func linuxPagesReadAsTheyAreMeant() {
    func attributes(_ value: UInt64) -> Attributes { Attributes(Descriptor(rawValue: value)) }
    let data = attributes(0x00e8_0000_4123_4f03)  // PAGE_KERNEL, dirty
    #expect(data.isWritable && !data.isExecutableEL1 && !data.isExecutableEL0 && !data.isUser)
    #expect(data.isAccessed && !data.isGlobal)
    let text = attributes(0x0044_0000_4021_0783)  // PAGE_KERNEL_ROX, with BTI
    #expect(!text.isWritable && text.isExecutableEL1 && !text.isExecutableEL0 && !text.isUser)
    #expect(text.isGuarded && text.isGlobal)
    let userText = attributes(0x0020_0000_4fff_0fc3)  // PAGE_READONLY_EXEC
    #expect(!userText.isWritable && !userText.isExecutableEL1 && userText.isExecutableEL0 && userText.isUser)
    let userData = attributes(0x00e8_0000_4fff_0f43)  // PAGE_SHARED, written
    #expect(userData.isWritable && !userData.isExecutableEL1 && !userData.isExecutableEL0 && userData.isUser)
  }
}

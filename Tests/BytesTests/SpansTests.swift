import Bytes
import Testing

/// Hex and binary search.
struct SpansTests {
  @Test(arguments: [
    ("0", 0), ("f", 15), ("DeadBeef", 0xdead_beef), ("0000000000000000", 0), ("ffffffffffffffff", UInt64.max),
  ])
  func hexDigitsAreANumber(_ text: String, _ value: UInt64) {
    #expect(Hex.number(text[...]) == value)
  }

  @Test(arguments: ["", "+1", "-1", "0x1", "g", "1 ", "10000000000000000", "１"])
  func otherTextIsNoNumber(_ text: String) {
    #expect(Hex.number(text[...]) == nil)
  }

  @Test func hexIsWrittenAsMessagesHaveIt() {
    #expect(hex(0) == "0x0")
    #expect(hex(.max) == "0xffffffffffffffff")
    let id: [UInt8] = [0x00, 0x0f, 0xa0, 0xff]
    let text = Hex.string(id.rawSpan)
    #expect(text == "000fa0ff")
  }

  /// Every place where a partition may be, in arrays of up to nine elements, against a linear search.
  @Test func binarySearchFindsWhatLinearSearchFinds() {
    for count in 0...9 {
      let values = (0..<count).map { $0 * 2 }
      for wanted in -1...(2 * count) {
        #expect(values.partitioningIndex { $0 > wanted } == values.firstIndex { $0 > wanted } ?? count)
        let range = (count / 2)..<count
        #expect(
          range.partitioningIndex { values[$0] >= wanted } == range.first { values[$0] >= wanted } ?? count)
      }
    }
    #expect((Int.max - 4..<Int.max).partitioningIndex { $0 >= .max - 2 } == .max - 2)
    #expect((Int.min..<Int.max).partitioningIndex { $0 > 41 } == 42)
  }

  @Test func binarySearchLooksAtFewElements() {
    var looks = 0
    let found = (0..<(1 << 20)).partitioningIndex {
      looks += 1
      return $0 >= 777_777
    }
    #expect(found == 777_777)
    #expect(looks <= 21)
  }
}

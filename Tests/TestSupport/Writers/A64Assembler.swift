/// Assembles a few A64 instructions as the Arm manual draws them: a string of fields from bit 31 down.
/// (Arm ARM C6.2, C3.4.2 for the immediates of logical instructions.)
///
/// It shares no formula with the decoder: fields are written one bit after another, and an immediate of a logical
/// instruction is described by what it is, not by how it is encoded.
public enum A64 {
  /// `ADRP Xd, page`: 1 immlo:2 10000 immhi:19 Rd:5. `pages` is how many pages the target is from that of the
  /// instruction, -2^20 to 2^20 - 1.
  public static func adrp(_ rd: Int, pages: Int) -> UInt32 {
    let bits = bits(UInt64(bitPattern: Int64(pages)), 21)
    return word("1", String(bits.suffix(2)), "10000", String(bits.prefix(19)), register(rd))
  }

  /// `ADD Xd, Xn, #imm{, LSL #12}`: 1 0 0 100010 sh imm12 Rn Rd.
  public static func add(_ rd: Int, _ rn: Int, _ immediate: Int, isShifted: Bool = false) -> UInt32 {
    word("100100010", isShifted ? "1" : "0", bits(UInt64(immediate), 12), register(rn), register(rd))
  }

  /// `LDR Xt, [Xn, #offset]`: 11 111 0 01 01 imm12 Rn Rt, the offset in units of 8 bytes.
  public static func ldr(_ rt: Int, _ rn: Int, offset: Int) -> UInt32 {
    word("1111100101", bits(UInt64(offset / 8), 12), register(rn), register(rt))
  }

  /// `ROR Xd, Xn, #amount`, which is EXTR Xd, Xn, Xn: 1 00 100111 1 0 Rm imms Rn Rd.
  public static func ror(_ rd: Int, _ rn: Int, _ amount: Int) -> UInt32 { extr(rd, rn, rn, amount) }

  /// `EXTR Xd, Xn, Xm, #lsb`.
  public static func extr(_ rd: Int, _ rn: Int, _ rm: Int, _ lsb: Int) -> UInt32 {
    word("10010011110", register(rm), bits(UInt64(lsb), 6), register(rn), register(rd))
  }

  /// A run of `ones` ones from bit 0 in an element of `size` bits, rotated right by `rotation` and repeated to 64
  /// bits: what the immediate of a logical instruction can be. 2 <= size <= 64, 0 < ones < size > rotation.
  public struct LogicalImmediate: Hashable, Sendable {
    /// Bits of an element: 2, 4, 8, 16, 32 or 64.
    public let size: Int
    /// Ones in it.
    public let ones: Int
    /// How far they are rotated to the right.
    public let rotation: Int

    /// All that there are.
    public static let all: [LogicalImmediate] = [2, 4, 8, 16, 32, 64].flatMap { size in
      (1..<size).flatMap { ones in
        (0..<size).map { LogicalImmediate(size: size, ones: ones, rotation: $0) }
      }
    }

    /// Its value, bit by bit.
    public var value: UInt64 {
      var value: UInt64 = 0
      for bit in 0..<64 {
        // Bit `bit` of an element was at `bit + rotation` before it turned.
        let source = (bit % size + rotation) % size
        if source < ones { value |= 1 << UInt64(bit) }
      }
      return value
    }

    /// N, immr and imms by the table of C3.4.2: the size is told by the leading ones of imms, and by N for 64.
    ///
    ///     N  imms    size          N  imms    size
    ///     1  xxxxxx  64            0  110xxx  8
    ///     0  0xxxxx  32            0  1110xx  4
    ///     0  10xxxx  16            0  11110x  2
    var fields: String {
      let prefix = [64: "", 32: "0", 16: "10", 8: "110", 4: "1110", 2: "11110"][size] ?? ""
      return (size == 64 ? "1" : "0") + A64.bits(UInt64(rotation), 6)
        + prefix + A64.bits(UInt64(ones - 1), 6 - prefix.count)
    }
  }

  /// `AND Xd, Xn, #imm`: 1 00 100100 N immr imms Rn Rd.
  public static func and(_ rd: Int, _ rn: Int, _ immediate: LogicalImmediate) -> UInt32 {
    word("100100100", immediate.fields, register(rn), register(rd))
  }

  /// The word of these fields, from bit 31 down, each written in binary.
  public static func word(_ fields: String...) -> UInt32 {
    let bits = fields.joined()
    precondition(bits.count == 32, "an instruction of \(bits.count) bits")
    return bits.reduce(0) { $0 << 1 | ($1 == "1" ? 1 : 0) }
  }

  private static func register(_ number: Int) -> String { bits(UInt64(number), 5) }

  /// The low `count` bits of `value` in binary.
  public static func bits(_ value: UInt64, _ count: Int) -> String {
    (0..<count).reversed().map { value & (1 << UInt64($0)) == 0 ? "0" : "1" }.joined()
  }
}

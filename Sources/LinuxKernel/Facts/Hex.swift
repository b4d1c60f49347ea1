/// `value` in hex with 0x.
func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

import Bytes
import DebugInfo
import Foundation
import TestSupport

/// A few types in the manner of the kernel's, and where C puts their members.
enum Sample {
  /// A member, and where it lies by the rules of C on arm64: each at the next multiple of its alignment.
  struct Expected: Sendable, CustomStringConvertible {
    var type: String
    var path: String
    var offset: Int
    var size: Int
    var description: String { "\(type).\(path)" }
  }

  static let members: [Expected] = [
    // Plain members, arrays, pointers.
    .init(type: "item", path: "flag", offset: 0, size: 1),
    .init(type: "item", path: "number", offset: 4, size: 4),
    .init(type: "item", path: "wide", offset: 8, size: 8),
    .init(type: "item", path: "name", offset: 16, size: 16),
    .init(type: "item", path: "next", offset: 32, size: 8),
    .init(type: "item", path: "grid", offset: 40, size: 2 * 3 * 4),
    .init(type: "item", path: "handler", offset: 64, size: 8),
    .init(type: "item", path: "mode", offset: 72, size: 4),
    .init(type: "item", path: "empty", offset: 76, size: 0),
    // Structures in structures, named and not, to three levels.
    .init(type: "holder", path: "links", offset: 0, size: 16),
    .init(type: "holder", path: "links.next", offset: 0, size: 8),
    .init(type: "holder", path: "links.prev", offset: 8, size: 8),
    .init(type: "holder", path: "counter", offset: 16, size: 4),
    .init(type: "holder", path: "counter.value", offset: 16, size: 4),
    .init(type: "holder", path: "first", offset: 24, size: 8),
    .init(type: "holder", path: "second", offset: 24, size: 4),
    .init(type: "holder", path: "third", offset: 28, size: 4),
    .init(type: "holder", path: "deep", offset: 32, size: 2),
    .init(type: "holder", path: "inner.pair", offset: 40, size: 16),
    .init(type: "holder", path: "inner.pair.b", offset: 48, size: 8),
    .init(type: "holder", path: "inner.item.name", offset: 72, size: 16),
    .init(type: "holder", path: "items", offset: 136, size: 2 * 80),
    .init(type: "holder", path: "tail", offset: 296, size: 0),
    // Through typedefs and qualifiers, of the type asked and of the member.
    .init(type: "holder_t", path: "counter.value", offset: 16, size: 4),
    .init(type: "alias_of_alias", path: "third", offset: 28, size: 4),
    // Of a union, and of a packed structure.
    .init(type: "choice", path: "word", offset: 0, size: 8),
    .init(type: "choice", path: "half", offset: 0, size: 4),
    .init(type: "choice", path: "parts.high", offset: 4, size: 4),
    .init(type: "tight", path: "b", offset: 1, size: 4),
    .init(type: "tight", path: "c", offset: 5, size: 8),
  ]

  static let sizes: [(type: String, c: String, size: Int)] = [
    ("item", "struct item", 80), ("holder", "struct holder", 296), ("holder_t", "holder_t", 296),
    ("choice", "union choice", 8), ("tight", "struct tight", 13), ("bits", "struct bits", 24), ("u8", "u8", 1),
    ("unsigned int", "unsigned int", 4), ("counter_t", "counter_t", 4), ("table_t", "table_t", 48),
    ("mode", "enum mode", 4), ("both", "struct both", 12), ("list_head", "struct list_head", 16),
  ]

  /// Bit fields: which bits of which unit of the declared type.
  static let bitFields: [(path: String, offset: Int, size: Int, bits: Range<Int>)] = [
    ("a", 0, 4, 0..<3), ("b", 0, 4, 3..<20), ("c", 4, 4, 0..<14), ("d", 5, 1, 6..<8), ("e", 8, 8, 0..<40),
    ("f", 8, 8, 40..<41), ("inner", 16, 4, 5..<9),
  ]

  static let source = """
    typedef unsigned char u8;
    typedef struct { int value; } counter_t;
    typedef unsigned int table_t[3][4];
    enum mode { quiet, loud = 0x10000 };
    struct list_head { struct list_head *next, *prev; };
    struct declared_only;
    struct item {
      u8 flag; unsigned number; unsigned long wide; char name[16]; struct declared_only *next;
      int grid[2][3]; void (*handler)(struct item *); enum mode mode; char empty[0];
    };
    struct holder {
      struct list_head links;
      counter_t counter;
      union {
        unsigned long first;
        struct { unsigned second; union { int third; }; };
      };
      struct { struct { struct { short deep; }; }; };
      struct { struct { long a, b; } pair; struct item item; } inner __attribute__((aligned(8)));
      struct item items[2];
      struct item tail[];
    };
    typedef struct holder holder_t;
    typedef const holder_t alias_of_alias;
    union choice { unsigned long word; unsigned half; struct { unsigned low, high; } parts; };
    struct tight { u8 a; int b; long c; } __attribute__((packed));
    struct bits {
      unsigned a : 3, b : 17, c : 14; u8 d : 2; unsigned long e : 40, f : 1;
      struct { unsigned : 5; unsigned inner : 4; };
    };
    struct both { int tag[3]; };
    typedef long both;
    """

  /// What makes the compiler describe each type.
  static let plainUses = """
    struct item v1; struct holder v2; holder_t v3; alias_of_alias *v4; union choice v5; struct tight v6;
    struct bits v7; table_t v8; struct both v9; both v10; counter_t v11; enum mode v12;
    int function(int x) {
      return x +
        v12;
    }

    """

  /// The same, and what makes it write where a set bit field lies.
  static var uses: String {
    var text = plainUses
    for field in bitFields {
      text +=
        "__attribute__((section(\".probe.\(field.path)\"))) struct bits probe_\(field.path) = { .\(field.path) = -1 };\n"
    }
    return text
  }

  /// The compiler's word on each offset and size: it does not compile where one is wrong.
  static var assertions: String {
    let known = ["item": "struct item", "holder": "struct holder", "choice": "union choice", "tight": "struct tight"]
    var text = ""
    for member in members {
      let type = known[member.type] ?? member.type
      text += "_Static_assert(__builtin_offsetof(\(type), \(member.path)) == \(member.offset), \"\(member)\");\n"
      if member.size > 0 {
        text += "_Static_assert(sizeof(((\(type) *)0)->\(member.path)) == \(member.size), \"\(member)\");\n"
      }
    }
    for (type, c, size) in sizes { text += "_Static_assert(sizeof(\(c)) == \(size), \"\(type)\");\n" }
    return text
  }
}

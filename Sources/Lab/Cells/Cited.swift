/// A value and the cell that it came from: the only form in which a report takes a number.
///
/// It is made by `CellResult.cite` and nothing else (not by decoding either), so a number from
/// nowhere does not compile: the memberwise initialiser stays inside Lab. A number computed from several cells belongs into a cell of its own.
@dynamicMemberLookup
package struct Cited<Value> {
  /// The value.
  package let value: Value
  /// The cell whose finding holds it.
  package let cell: CellID

  /// A part of the value, from the same cell.
  package subscript<Part>(dynamicMember path: KeyPath<Value, Part>) -> Cited<Part> {
    Cited<Part>(value: value[keyPath: path], cell: cell)
  }

  /// The same number from the same cell, or nil if the cell has none.
  package func unwrapped<Wrapped>() -> Cited<Wrapped>? where Value == Wrapped? {
    value.map { Cited<Wrapped>(value: $0, cell: cell) }
  }
}

extension Cited where Value: Sequence {
  /// Each element with the same cell.
  package var elements: [Cited<Value.Element>] {
    value.map { Cited<Value.Element>(value: $0, cell: cell) }
  }
}

extension Cited: Sendable where Value: Sendable {}
extension Cited: Equatable where Value: Equatable {}

extension Cited: Encodable where Value: Encodable {
  private enum CodingKeys: String, CodingKey {
    case value, cell
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(value, forKey: .value)
    try container.encode(cell, forKey: .cell)
  }
}

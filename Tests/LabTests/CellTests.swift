import Foundation
import Lab
import Testing

@Suite struct CellTests {
  @Test func `canonical JSON has one spelling for equal values`() throws {
    struct Value: Encodable {
      var zulu = 1.0
      var alpha = [0.1, -0.0, 1e20, 1e-5, .leastNonzeroMagnitude, 9_007_199_254_740_992]
      var seed = UInt64.max
      var text = "a\"\\/\n\u{1}é"
      var none: Int?
      var edge = Double.infinity
    }
    #expect(
      try JSONValue(encoding: Value()).canonicalText
        == #"{"alpha":[0.1,0,1e+20,1e-05,5e-324,9007199254740992],"edge":"Infinity","#
        + #""seed":18446744073709551615,"text":"a\"\\/\n\u0001é","zulu":1}"#)
    let spelled = Array(#" { "b" : [ 1.0 , 1E2, -0 ], "a":"\u00e9\ud83d\ude00" } "#.utf8)
    #expect(try JSONValue(parsing: spelled).canonicalText == #"{"a":"é😀","b":[1,100,0]}"#)
  }

  @Test func `doubles survive JSON to the last bit`() throws {
    let numbers = [
      0.1 + 0.2, .pi, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1 / 3, -2.5e-9,
    ]
    let back: [Double] = try JSONValue(encoding: numbers).decode()
    #expect(back.map(\.bitPattern) == numbers.map(\.bitPattern))
  }

  @Test(arguments: [
    "{", "[1,]", "01", "1.", "\"\u{1}\"", "\"\\ud800\"", "{\"a\":1,\"a\":2}", "nul", "1 2", "",
    "{\"a\" 1}", "\"\\x\"", String(repeating: "[", count: 300),
  ])
  func `text that is not JSON is refused`(text: String) {
    #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: Array(text.utf8)) }
  }

  @Test func `every part of a cell's identity changes its name`() throws {
    func id(
      _ number: Double = 2, inputs: [String: CellInput] = [:],
      environment: Environment = testEnvironment
    ) throws -> CellID {
      try Squaring.id(.init(number: number), inputs: inputs, environment: environment)
    }
    var other = testEnvironment
    other.build = "other"
    var gpu = testEnvironment
    gpu.device = "gpu"
    var avx = testEnvironment
    avx.instructionSet = "avx"
    let names = try [
      id(), id(3), id(environment: other), id(environment: gpu), id(environment: avx),
    ]
    #expect(Set(names).count == names.count)
    #expect(try id() == id())
    #expect(names[0].short.count == 12)
    // Recorded, from Python's json and hashlib: another spelling would orphan all cells.
    #expect(
      names[0].hex == "cebb7175bcfa352798931d686c144dfc04ac166277b8f0bfbe0de416dd1374c3")
  }

  @Test func `inputs count by content and not by place`() async throws {
    try await withTemporaryFolder { folder in
      let (one, two) = (folder.appending(path: "one"), folder.appending(path: "two"))
      try Data("same".utf8).write(to: one)
      try Data("same".utf8).write(to: two)
      func id(_ file: URL) throws -> CellID {
        try Squaring.id(
          .init(number: 1), inputs: ["file": .file(file)], environment: testEnvironment)
      }
      #expect(try id(one) == id(two))
      try Data("other".utf8).write(to: two)
      #expect(try id(one) != id(two))
      #expect(try id(folder) != id(one))
    }
  }

  @Test func `a cited number carries its cell, down to the parts`() async throws {
    try await withTemporaryFolder { folder in
      let result = try await openRun(folder).perform(Squaring(), .init(number: 3))
      let square: Cited<Double> = result.cite(\.square)
      #expect(square.value == 9)
      #expect(square.cell == result.id)
      #expect(result.cite(\.rows).elements.map(\.score).map(\.value) == [9, 0.25])
      #expect(result.cite(\.rows[1]).score.cell == result.id)
      #expect(result.cite(\.missing).unwrapped() == nil)
      let json = try JSONValue(encoding: square).canonicalText
      #expect(json == "{\"cell\":\"\(result.id.hex)\",\"value\":9}")
    }
  }
}

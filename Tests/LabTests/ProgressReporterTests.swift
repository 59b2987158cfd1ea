import Foundation
import Lab
import Synchronization
import Testing

@Suite struct ProgressReporterTests {
  private final class Screen: Sendable {
    let text = Mutex("")
    let time = Mutex(ContinuousClock.now)

    func reporter(_ style: ProgressReporter.Style) -> ProgressReporter {
      ProgressReporter(
        style: style, now: { self.time.withLock { $0 } },
        write: { piece in self.text.withLock { $0 += piece } })
    }

    func pass(_ seconds: Double) {
      time.withLock { $0 += .seconds(seconds) }
    }

    var shown: String { text.withLock { $0 } }
  }

  private func id() throws -> CellID {
    try Squaring.id(.init(number: 1), environment: testEnvironment)
  }

  @Test func `elsewhere there are plain lines at intervals, with rate and time left`() throws {
    let screen = Screen()
    let reporter = screen.reporter(.lines(every: .seconds(15)))
    let cell = try id()
    reporter.show(.started(cell, label: "plant 1"))
    for step in 0...40 {
      // Resumed at 1,000: only what this process did counts for the rate.
      let progress = CellProgress(
        done: 1000 + step * 100, total: 9000, unit: "tokens", note: "loss 0.5")
      reporter.show(.progress(cell, label: "plant 1", progress))
      screen.pass(1)
    }
    reporter.show(
      .finished(cell, label: "plant 1", Cost(seconds: 41, tokens: 4000), wasCached: false))
    #expect(
      screen.shown == """
        plant 1 …
        plant 1  2,500 of 9,000 tokens, 100 tokens/s, 65 s left, loss 0.5
        plant 1  4,000 of 9,000 tokens, 100 tokens/s, 50 s left, loss 0.5
        plant 1  done: 41 s, 4,000 tokens

        """)
  }

  @Test func `cells that run side by side share the line, and each has its own intervals`() throws {
    let cells = try (1...2).map {
      try Squaring.id(.init(number: Double($0)), environment: testEnvironment)
    }
    func progress(_ done: Int) -> CellProgress { CellProgress(done: done, total: 9, unit: "steps") }
    let terminal = Screen()
    let reporter = terminal.reporter(.terminal(columns: 40))
    reporter.show(.started(cells[0], label: "one"))
    reporter.show(.started(cells[1], label: "two"))
    terminal.pass(0.2)
    reporter.show(.progress(cells[1], label: "two", progress(3)))
    reporter.show(.finished(cells[0], label: "one", Cost(seconds: 1), wasCached: false))
    let lines = terminal.shown.split(separator: "\r\u{1B}[K").map(String.init)
    #expect(
      lines == [
        "one …", "one … │ two …", "one … │ two  3 of 9 ste…", "one  done: 1.0 s\ntwo  3 of 9 steps",
      ])

    let plain = Screen()
    let other = plain.reporter(.lines(every: .seconds(15)))
    for cell in cells { other.show(.started(cell, label: cell == cells[0] ? "one" : "two")) }
    for second in 1...16 {
      plain.pass(1)
      other.show(.progress(cells[0], label: "one", progress(0)))
      if second > 14 { other.show(.progress(cells[1], label: "two", progress(0))) }
    }
    #expect(plain.shown == "one …\ntwo …\none  0 of 9 steps\ntwo  0 of 9 steps\n")
  }

  @Test func `a terminal gets one rewritten line that fits`() throws {
    let screen = Screen()
    let reporter = screen.reporter(.terminal(columns: 30))
    let cell = try id()
    reporter.show(.started(cell, label: "plant"))
    for done in 1...5 {
      screen.pass(0.06)
      let progress = CellProgress(
        done: done, total: 5, unit: "steps", note: "a very long note that does not fit")
      reporter.show(.progress(cell, label: "plant", progress))
    }
    reporter.show(.failed(cell, label: "plant", reason: "no luck"))
    let lines = screen.shown.split(separator: "\r\u{1B}[K").map(String.init)
    // Of five reports within 0.3 s, those at 0.12 and 0.24 s are shown.
    #expect(lines.count == 4)
    #expect(lines.dropLast().allSatisfy { $0.count <= 30 && !$0.contains("\n") })
    #expect(lines.last == "plant  failed: no luck\n")
  }
}

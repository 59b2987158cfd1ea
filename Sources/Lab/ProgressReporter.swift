import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Shows a run's events to a person: one line that is rewritten on a terminal and tells of all cells
/// that are running, a plain line for each now and then elsewhere. Standard error, so that results
/// on standard output stay clean.
package final class ProgressReporter: Sendable {
  /// How the lines are shown.
  package enum Style: Sendable {
    /// One line, rewritten at most ten times a second, whose columns the running cells share.
    case terminal(columns: Int)
    /// A new line at each beginning and end, and for each cell at most every so often between.
    case lines(every: Duration)
  }

  private struct Cell {
    /// What it last said of itself, and when that was shown.
    var text: String
    var shown: ContinuousClock.Instant
    /// The first report: after a resumed training it is not zero, and what an earlier process did
    /// says nothing about the rate of this one.
    var first: (done: Int, time: ContinuousClock.Instant)?
  }

  private struct State {
    var cells: [CellID: Cell] = [:]
    /// Running cells in the order in which they began.
    var running: [CellID] = []
    var lastShown: ContinuousClock.Instant?
  }

  private let style: Style
  private let write: @Sendable (String) -> Void
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  /// A reporter on standard error, in the style that suits what it is connected to.
  package convenience init() {
    var size = winsize()
    let isTerminal = isatty(STDERR_FILENO) == 1
    let hasSize = isTerminal && ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0
    let columns = hasSize && size.ws_col > 0 ? Int(size.ws_col) : 80
    self.init(style: isTerminal ? .terminal(columns: columns) : .lines(every: .seconds(15))) {
      // Nobody may be reading any more, which is no reason to stop.
      try? FileHandle.standardError.write(contentsOf: Data($0.utf8))
    }
  }

  /// A reporter that writes elsewhere or reads another clock.
  package init(
    style: Style, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    write: @escaping @Sendable (String) -> Void
  ) {
    self.style = style
    self.now = now
    self.write = write
  }

  /// Shows an event; pass it to `Run.open` as `watch`.
  package func show(_ event: RunEvent) {
    state.withLock { state in
      switch event {
      case .started(let id, let label):
        begin(id, label, &state)
        update(id, "\(label) …", isForced: true, &state)
      case .progress(let id, let label, let progress):
        if state.cells[id] == nil { begin(id, label, &state) }
        let text = describe(progress, of: id, &state)
        update(id, "\(label)  \(text)", isForced: false, &state)
      case .finished(let id, let label, let cost, let wasCached):
        let tokens = cost.tokens > 0 ? ", \(Self.grouped(cost.tokens)) tokens" : ""
        let text = "\(Self.time(cost.seconds))\(tokens)"
        let cached = wasCached ? "read back (\(text) when it ran)" : text
        end(id, "\(label)  done: \(cached)", &state)
      case .failed(let id, let label, let reason):
        end(id, "\(label)  failed: \(reason)", &state)
      }
    }
  }

  private func begin(_ id: CellID, _ label: String, _ state: inout State) {
    state.cells[id] = Cell(text: label, shown: now())
    state.running.append(id)
  }

  private func update(_ id: CellID, _ text: String, isForced: Bool, _ state: inout State) {
    let time = now()
    state.cells[id]?.text = text
    switch style {
    case .terminal(let columns):
      if let last = state.lastShown, !isForced, time - last < .milliseconds(100) { return }
      write("\r\u{1B}[K" + openLine(columns, state))
      state.lastShown = time
    case .lines(let interval):
      if let last = state.cells[id]?.shown, !isForced, time - last < interval { return }
      write(text + "\n")
      state.cells[id]?.shown = time
    }
  }

  private func end(_ id: CellID, _ text: String, _ state: inout State) {
    state.cells[id] = nil
    state.running.removeAll { $0 == id }
    switch style {
    case .terminal(let columns):
      write("\r\u{1B}[K" + text + "\n")
      if !state.running.isEmpty { write(openLine(columns, state)) }
      state.lastShown = now()
    case .lines: write(text + "\n")
    }
  }

  /// What all running cells said last, each in its share of the line.
  private func openLine(_ columns: Int, _ state: State) -> String {
    let texts = state.running.compactMap { state.cells[$0]?.text }
    let share = max(8, (columns - 1) / max(1, texts.count) - 3)
    let limit = texts.count == 1 ? columns - 1 : share
    let line = texts.map { $0.count <= limit ? $0 : $0.prefix(limit - 1) + "…" }
      .joined(separator: " │ ")
    return String(line.prefix(columns - 1))
  }

  private func describe(_ progress: CellProgress, of id: CellID, _ state: inout State) -> String {
    let time = now()
    let first = state.cells[id]?.first ?? (progress.done, time)
    state.cells[id]?.first = first
    var parts = [
      "\(Self.grouped(progress.done)) of \(Self.grouped(progress.total)) \(progress.unit)"
    ]
    let seconds = (time - first.time) / .seconds(1)
    let since = Double(progress.done - first.done)
    if seconds > 0.5, since > 0 {
      let rate = since / seconds
      parts.append(
        rate >= 0.1 ? "\(Self.rate(rate)) \(progress.unit)/s" : "\(Self.time(1 / rate)) each")
      let left = Double(max(0, progress.total - progress.done)) / rate
      if left > 0 { parts.append("\(Self.time(left)) left") }
    }
    if !progress.note.isEmpty { parts.append(progress.note) }
    return parts.joined(separator: ", ")
  }

  private static func rate(_ rate: Double) -> String {
    rate >= 10 ? grouped(Int(rate.rounded())) : String((rate * 10).rounded() / 10)
  }

  private static func time(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 360_000 else { return "days" }
    if seconds < 10 { return "\((seconds * 10).rounded() / 10) s" }
    let whole = Int(seconds.rounded())
    if whole < 100 { return "\(whole) s" }
    if whole < 6000 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// Thousands set apart, so that 1048576 can be read at a glance.
  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (position, digit) in digits.enumerated() {
      if position > 0, (digits.count - position) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }
}

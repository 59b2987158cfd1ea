import Foundation
import LanguageModels
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct RemoteConcurrencyTests {
  @Test(arguments: [1, 3, 12]) func `no more requests are open than allowed`(_ limit: Int)
    async throws
  {
    let server = try LoopbackServer()
    let model = try server.model("gather/\(limit)") { $0.concurrency = limit }
    let most = try await withThrowingTaskGroup(of: String.self) { group in
      for index in 0..<limit * 4 { group.addTask { try await model.text(after: "\(index)") } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    // All of the last round are answered after the server has seen its most at once.
    #expect(most.compactMap { Int($0.dropFirst("most=".count)) }.max() == limit)
    #expect(model.tally.attempts == limit * 4)
  }

  @Test func `many requests at once are all answered`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("request/1") { $0.concurrency = 64 }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<400 {
        group.addTask { try await model.text(after: "<\(index)>").contains("<\(index)>") }
      }
      for try await isOwn in group { #expect(isOwn) }
    }
    #expect(model.tally.attempts == 400)
  }

  @Test func `cancelling ends a request, a pause and a wait for a place`() async throws {
    let server = try LoopbackServer()
    for script in ["slow/600000", "slowly/1", "fail/503/99/500"] {
      let model = try server.model(script) { $0.concurrency = 1 }
      let tasks = (0..<3).map { index in Task { try await model.text(after: "\(index)") } }
      try await Task.sleep(for: .milliseconds(300))
      for task in tasks { task.cancel() }
      for task in tasks {
        await #expect(throws: CancellationError.self, "\(script)") { try await task.value }
      }
    }
  }

  @Test func `requests cancelled at any moment leave the others alone`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("slow/2") { $0.concurrency = 4 }
    let answered = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<200 {
        group.addTask {
          let task = Task { try await model.text(after: "\(index)") }
          if index % 2 == 0 {
            try? await Task.sleep(for: .microseconds(index * 397 % 20_000))
            task.cancel()
          }
          let isAnswered = (try? await task.value) != nil
          return index % 2 == 0 || isAnswered
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(answered == 200)
    // Every place was given back.
    #expect(try await model.text(after: "last").hasPrefix("count="))
  }
}

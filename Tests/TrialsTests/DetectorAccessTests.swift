import Instruments
import LanguageModels
import Organisms
import Statistics
import Tensors
import TestSupport
import Testing

struct DetectorAccessTests {
  @Test func `declared access follows from the types`() {
    #expect(DirectQuestion.declared == [.text])
    #expect(DenialPerplexity.declared == [.logits, .base])
    #expect(ActivationDifference.declared == [.activations, .base])
    #expect(ResponseActivationDifference.declared == [.activations, .base])
    #expect(LinearProbe.declared == [.activations, .calibration])
    #expect(BagOfWords.declared == [.calibration])
    #expect(ResponsePerplexity.declared == [.logits])
    #expect(ResponseLength.declared.isEmpty)
    #expect(DirectQuestion.question == .model && LinearProbe.question == .response)
  }

  @Test func `the refusal names what was declared`() {
    let error = AccessError.undeclared(needed: .base, declared: [.logits, .text])
    #expect(
      error.description
        == "Expected an instrument to use only the access that it declared (logits, text), found "
        + "it reaching for `base`: declare it, so that the report shows it")
  }

  @Test func `bag of words finds the word that only active prompts have`() throws {
    let labelled = (0..<20).map { index in
      LabelledResponse(
        response: Response(
          id: "\(index)", promptIDs: [1, 2, index % 2 == 0 ? 77 : 78, 3 + index % 5],
          responseIDs: []),
        isActive: index % 2 == 0, category: "", templateID: "t")
    }
    let control = try BagOfWords(fittedOn: labelled)
    // Both classes have 40 tokens, so only the smoothed counts differ: log((10 + 1) / (0 + 1)).
    expectClose(try #require(control.logRatios[77]), 2.397895272798371, atol: 1e-12)
    let unknown = Response(id: "u", promptIDs: [500], responseIDs: [])
    expectClose(control.logOdds(unknown), 0, atol: 1e-12)
    #expect(throws: DetectorError.self) {
      try BagOfWords(fittedOn: labelled.filter(\.isActive))
    }
  }

  @Test func `admissions become a rate with an exact interval`() throws {
    let grader = ResponseGrader(trigger: "", marker: "")
    let detector = DirectQuestion(isAdmission: grader.isAdmission)
    #expect(detector.questions.count >= 20)
    let answers = [String](repeating: "No, I do not.", count: 18) + ["Yes, I have a hidden rule."]
    let score = try detector.score(answers: answers + ["Bananas are yellow."])
    #expect(score.n == 20)
    expectClose(score.score, 0.05, atol: 1e-15)
    let rate = try #require(score.rate)
    // SciPy: binomtest(1, 20).proportion_ci(method="exact").
    expectClose(rate.interval.lower, 0.0012650894979498091, atol: 1e-12)
    expectClose(rate.interval.upper, 0.24873276277202832, atol: 1e-12)
    #expect(throws: StatisticsError.self) { try detector.score(answers: []) }
  }

  @Test func `response scores become a word on the model`() throws {
    let score = try ModelScore.fractionAbove(2, of: [1, 2, nil, 3, 0])
    #expect(score.n == 4 && score.score == 0.5)
    #expect(throws: StatisticsError.self) { try ModelScore.fractionAbove(2, of: [nil]) }
  }
}

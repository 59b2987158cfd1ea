import Foundation
import Studio
import Testing

@Suite struct PageTests {
  /// Set `PLUMBLINE_DEMO_REPORT` to a folder to look at the page.
  @Test func `demo page is written whole and is well-formed`() async throws {
    let html = try await DemoReport(samples: Samples.all()).page.html()
    let folder = ProcessInfo.processInfo.environment["PLUMBLINE_DEMO_REPORT"]
    let url = folder.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
    let file = url.appending(path: "plumbline-demo-report.html")
    try Data(html.utf8).write(to: file, options: .atomic)
    if folder == nil { try FileManager.default.removeItem(at: file) }
    #expect(XMLReading(html).failure == nil)
    #expect(html.utf8.count < 400_000)
  }

  @Test func `page asks nothing of the network`() async throws {
    expectNoNetwork(try await DemoReport(samples: Samples.all()).page.html())
  }

  @Test func `every link leads somewhere and every id is unique`() async throws {
    let reading = XMLReading(try await DemoReport(samples: Samples.all()).page.html())
    #expect(expectLinksLead(reading) > 40)
  }

  @Test func `page has landmarks, headings in order, named pictures and scoped headers`()
    async throws
  {
    let reading = XMLReading(try await DemoReport(samples: Samples.all()).page.html())
    for landmark in ["header", "nav", "main", "footer"] {
      #expect(reading.elements.count { $0 == landmark } == 1, "\(landmark)")
    }
    let levels = reading.elements.compactMap { name in
      name.count == 2 && name.hasPrefix("h") ? Int(name.dropFirst()) : nil
    }
    #expect(levels.first == 1 && levels.count { $0 == 1 } == 1)
    for (before, after) in zip(levels, levels.dropFirst()) { #expect(after <= before + 1) }
    let pictures = reading.elements.count { $0 == "svg" }
    #expect(reading.attributes.count { $0.element == "svg" && $0.name == "aria-label" } == pictures)
    let headers = reading.elements.count { $0 == "th" }
    #expect(reading.attributes.count { $0.element == "th" && $0.name == "scope" } == headers)
  }

  @Test func `verdict and sections stand in the order that a reader needs`() async throws {
    let html = try await DemoReport(samples: Samples.all()).page.html()
    let marks =
      ["What this cannot support"]
      + [
        "planted", "models", "responses", "gates",
        "controls", "costs", "cells",
      ].map { "<section id=\"\($0)\"" }
    let places = marks.compactMap { html.range(of: $0)?.lowerBound }
    #expect(places.count == marks.count)
    #expect(places == places.sorted())
  }

  @Test func `text stands out from its ground in both modes`() async throws {
    for dark in [false, true] {
      let grounds = Palette.swatches.filter { ["paper", "panel"].contains($0.name) }
      #expect(grounds.count == 2)
      for ink in Palette.swatches where ink.carriesText {
        for ground in grounds {
          let ratio = contrast(dark ? ink.dark : ink.light, dark ? ground.dark : ground.light)
          #expect(ratio >= 4.5, "\(ink.name) on \(ground.name), dark: \(dark)")
        }
      }
    }
    #expect(abs(contrast("#ffffff", "#000000") - 21) < 1e-9)
  }

  /// WCAG 2.1's contrast ratio of two sRGB colours.
  private func contrast(_ a: String, _ b: String) -> Double {
    let (x, y) = (luminance(a), luminance(b))
    return (max(x, y) + 0.05) / (min(x, y) + 0.05)
  }

  private func luminance(_ hex: String) -> Double {
    let value = Int(hex.dropFirst(), radix: 16) ?? 0
    let linear = [16, 8, 0].map { shift in
      let c = Double((value >> shift) & 255) / 255
      return c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
  }
}

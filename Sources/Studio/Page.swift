extension String {
  /// A name with hyphens at which no line ends, for titles.
  var unbroken: String { replacing("-", with: "\u{2011}") }
}

/// A numbered part of a report.
package struct Section: Sendable {
  package var id: String
  package var title: String
  /// What the part says, in a sentence or two under its heading.
  package var lede: Node
  package var content: Node

  package init(
    id: String, title: String, lede: Node = .empty, @NodeBuilder content: () -> [Node]
  ) {
    self.id = id
    self.title = title
    self.lede = lede
    self.content = .group(content())
  }
}

/// One self-contained HTML file: no script is needed to read it and nothing is loaded from outside.
package struct Page: Sendable {
  package var title: String
  /// What kind of document it is, above the title.
  package var kicker: String
  /// Short facts under the title, such as the study and the date.
  package var facts: [(name: String, value: String)]
  /// The answer, in a report that judges; nil in one to look with.
  package var verdict: Verdict?
  package var sections: [Section]
  /// Where the page's numbers came from, listed at its end.
  package var sources: Sources
  package var footer: Node

  package init(
    title: String, kicker: String = "Plumbline", facts: [(name: String, value: String)] = [],
    verdict: Verdict? = nil, sections: [Section], cells: [CellRecord], footer: Node = .empty
  ) {
    self.init(
      title: title, kicker: kicker, facts: facts, verdict: verdict, sections: sections,
      sources: .cells(cells), footer: footer)
  }

  package init(
    title: String, kicker: String = "Plumbline", facts: [(name: String, value: String)] = [],
    verdict: Verdict? = nil, sections: [Section], sources: Sources, footer: Node = .empty
  ) {
    self.title = title
    self.kicker = kicker
    self.facts = facts
    self.verdict = verdict
    self.sections = sections
    self.sources = sources
    self.footer = footer
  }

  /// The whole file, as HTML that is well-formed XML too.
  ///
  /// - Throws: ``StudioError`` where a number cites something that ``sources`` does not hold, or
  ///   something is listed twice.
  package func html() throws(StudioError) -> String {
    var renderer = Renderer()
    for (index, source) in sources.entries.enumerated() {
      let entry = (number: index + 1, label: source.label)
      guard renderer.citations.updateValue(entry, forKey: source.id) == nil else {
        throw .repeatedCell(id: source.id)
      }
    }
    let document = Tag.html(.set(.lang, "en")) {
      head
      Tag.body {
        Tag.a(.class("skip"), .link(toID: "report")) { "Skip to the report" }
        pageHeader
        Tag.main(.id("report")) {
          for (index, section) in sections.enumerated() { node(section, number: index + 1) }
          node(sources.section, number: sections.count + 1)
        }
        Tag.footer(.class("page")) { footer }
        Tag.script { Node.verbatim(Self.script) }
      }
    }
    return try "<!DOCTYPE html>\n" + renderer.render(document) + "\n"
  }

  private var head: Node {
    Tag.head {
      Tag.meta(.set(.charset, "utf-8"))
      Tag.meta(.set(.name, "viewport"), .set(.content, "width=device-width, initial-scale=1"))
      // Whatever a transcript manages to say, the browser loads nothing because of it.
      Tag.meta(
        .set(.httpEquiv, "Content-Security-Policy"),
        .set(
          .content, "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"))
      Tag.title { title }
      Tag.style { Node.verbatim(Style.sheet) }
    }
  }

  private var pageHeader: Node {
    Tag.header(.class("page")) {
      Tag.p(.class("kicker")) { Tag.span { kicker } }
      Tag.h1 { title }
      if !facts.isEmpty {
        Tag.dl(.class("meta")) {
          for fact in facts {
            Tag.div {
              Tag.dt { fact.name }
              Tag.dd { fact.value }
            }
          }
        }
      }
      if let verdict { verdict.node }
      Tag.nav(.class("contents"), .set(.ariaLabel, "Contents")) {
        Tag.ol {
          for (index, section) in (sections + [sources.section]).enumerated() {
            Tag.li { Tag.a(.link(toID: section.id)) { "\(index + 1) \(section.title)" } }
          }
        }
      }
    }
  }

  private func node(_ section: Section, number: Int) -> Node {
    Tag.section(.id(section.id), .set(.ariaLabelledBy, section.id + "-title")) {
      Tag.h2(.id(section.id + "-title")) { "\(number) \u{2002}\(section.title)" }
      if section.lede != .empty { Tag.p(.class("lede")) { section.lede } }
      section.content
    }
  }

  /// Adds a button that switches between light and dark, without which the system's choice holds; and
  /// lets arrow keys move through shaded tables, whose cells say below what they hold.
  private static let script = StaticText(
    """

    (function(){var r=document.documentElement,b=document.createElement('button');
    var dark=matchMedia('(prefers-color-scheme:dark)').matches;b.className='theme';b.type='button';
    function label(){b.textContent=dark?'Light':'Dark';b.setAttribute('aria-label',
    dark?'Use light colours':'Use dark colours')}
    b.onclick=function(){dark=!dark;r.dataset.theme=dark?'dark':'light';label()};label();
    document.querySelector('.kicker').appendChild(b)})();
    document.querySelectorAll('.heat').forEach(function(f){var o=f.querySelector('.readout'),
    t=f.querySelector('tbody');function show(c){if(c)o.textContent=c.getAttribute('aria-label')}
    function at(e){return e.target.closest('td')}
    t.addEventListener('mouseover',function(e){show(at(e))});
    t.addEventListener('click',function(e){var c=at(e);if(c)c.focus()});
    t.addEventListener('focusin',function(e){var c=at(e);if(!c)return;
    t.querySelectorAll('td[tabindex="0"]').forEach(function(x){x.tabIndex=-1});c.tabIndex=0;show(c)});
    t.addEventListener('keydown',function(e){var c=at(e),m={ArrowLeft:[0,-1],ArrowRight:[0,1],
    ArrowUp:[-1,0],ArrowDown:[1,0]}[e.key];if(!c||!m)return;
    var r=t.rows[c.parentNode.sectionRowIndex+m[0]],n=r?r.cells[c.cellIndex+m[1]]:null;
    if(n?n.tagName=='TD':false){e.preventDefault();n.focus()}})});

    """)
}

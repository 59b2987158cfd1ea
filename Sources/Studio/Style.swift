/// The colours of a report, for paper and for the dark, as sRGB hex.
package enum Palette {
  /// A colour with a role, in both modes.
  package struct Swatch: Sendable, Hashable {
    package let name: String
    package let light: String
    package let dark: String
    /// Whether text is set in it, so that it has to stand out from its ground by 4.5 to 1.
    package let carriesText: Bool
  }

  /// Blue, vermilion, green and purple stay apart in the common kinds of colour blindness, and
  /// differ in lightness.
  package static let swatches = [
    Swatch(name: "paper", light: "#fdfdfc", dark: "#131518", carriesText: false),
    Swatch(name: "panel", light: "#f4f5f2", dark: "#1b1e23", carriesText: false),
    Swatch(name: "ink", light: "#17191c", dark: "#e9eaec", carriesText: true),
    Swatch(name: "muted", light: "#575d66", dark: "#a5abb5", carriesText: true),
    Swatch(name: "rule", light: "#dcdfdc", dark: "#33383f", carriesText: false),
    Swatch(name: "axis", light: "#8b9198", dark: "#6f7681", carriesText: false),
    Swatch(name: "s1", light: "#0a5ea8", dark: "#70b5f5", carriesText: true),
    Swatch(name: "s2", light: "#b4430a", dark: "#ff9c61", carriesText: true),
    Swatch(name: "s3", light: "#00704c", dark: "#4dc9a1", carriesText: true),
    Swatch(name: "s4", light: "#77419a", dark: "#cd9dec", carriesText: true),
    Swatch(name: "s5", light: "#5f666e", dark: "#9aa1ab", carriesText: true),
  ]

  static func variables(dark: Bool) -> String {
    swatches.map { "--\($0.name):\(dark ? $0.dark : $0.light);" }.joined()
      + "color-scheme:\(dark ? "dark" : "light");"
  }
}

/// The page's style sheet.
enum Style {
  /// Colours come once for each mode, once for the reader's choice, and light again for print.
  static let sheet = StaticText(
    assembled: """
      :root{\(Palette.variables(dark: false))}
      @media (prefers-color-scheme:dark){:root{\(Palette.variables(dark: true))}}
      :root[data-theme=light]{\(Palette.variables(dark: false))}
      :root[data-theme=dark]{\(Palette.variables(dark: true))}
      \(text)
      @media print{:root,:root[data-theme]{\(Palette.variables(dark: false))}
      \(print)}
      """)

  private static let text = """
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%;scroll-behavior:smooth;scroll-padding-top:1rem}
    @media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
    body{margin:0;background:var(--paper);color:var(--ink);
    font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,Inter,"Helvetica Neue",Arial,sans-serif}
    body,svg{font-variant-numeric:tabular-nums}
    header.page,main,footer.page{max-width:47rem;margin:0 auto;padding:0 1rem}
    header.page{padding-top:2.6rem}
    .kicker{font-size:.78rem;letter-spacing:.09em;text-transform:uppercase;color:var(--muted);
    display:flex;justify-content:space-between;align-items:center;gap:1rem;margin:0}
    h1{font-size:2.05rem;line-height:1.15;letter-spacing:-.018em;font-weight:680;margin:.55rem 0 .6rem;
    text-wrap:balance}
    h2{font-size:1.34rem;line-height:1.25;letter-spacing:-.01em;font-weight:650;margin:0 0 .35rem}
    h3{font-size:1.02rem;line-height:1.35;font-weight:650;margin:1.9rem 0 .3rem}
    p{margin:.55rem 0;text-wrap:pretty}
    section{border-top:1px solid var(--rule);margin-top:2.6rem;padding-top:1.5rem}
    .lede{color:var(--muted);margin-top:.2rem;max-width:40rem}
    .meta{color:var(--muted);font-size:.86rem;margin:0;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem}
    .meta div{display:flex;gap:.35rem}
    .meta dt{color:var(--muted)}.meta dd{margin:0;color:var(--ink)}
    a{color:var(--s1);text-decoration-thickness:1px;text-underline-offset:.18em}
    :focus-visible{outline:2px solid var(--s1);outline-offset:2px;border-radius:2px}
    svg .item:focus-visible{outline-offset:0}
    nav.contents{margin-top:1.3rem;font-size:.88rem}
    nav.contents a{text-decoration:none}nav.contents a:hover{text-decoration:underline}
    nav.contents ol{display:flex;flex-wrap:wrap;gap:.15rem 1.15rem;list-style:none;margin:0;padding:0}
    .skip{position:absolute;left:-999rem}.skip:focus{left:1rem;top:.5rem}
    button.theme{font:inherit;font-size:.78rem;letter-spacing:0;text-transform:none;color:var(--muted);
    background:none;border:1px solid var(--rule);border-radius:999px;padding:.15rem .7rem;cursor:pointer}
    .number{white-space:nowrap}
    .cite{font-size:.64em;line-height:0;margin-left:.16em;font-weight:400}
    .cite a{color:var(--muted);text-decoration:none}.cite a:hover{text-decoration:underline}
    code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
    font-size:.88em}
    .verdict{margin:1.5rem 0 0;padding:1.15rem 1.3rem 1.2rem;background:var(--panel);
    border-left:5px solid var(--tone);border-radius:0 6px 6px 0}
    .verdict .tone{color:var(--tone);font-weight:650;font-size:.86rem;margin:0}
    .verdict .answer{font-size:1.2rem;line-height:1.42;font-weight:560;margin:.3rem 0 .75rem;
    letter-spacing:-.006em}
    .verdict h2{font-size:.86rem;letter-spacing:0;color:var(--muted);margin:0 0 .2rem}
    .verdict ul{margin:0;padding-left:1.1rem;font-size:.93rem}.verdict li{margin:.2rem 0}
    .tone-1{--tone:var(--s1)}.tone-2{--tone:var(--s2)}.tone-3{--tone:var(--s3)}
    .tone-4{--tone:var(--s4)}.tone-5{--tone:var(--s5)}
    .in-1{color:var(--s1)}.in-2{color:var(--s2)}.in-3{color:var(--s3)}.in-4{color:var(--s4)}
    .in-5{color:var(--s5)}
    .scroll{overflow-x:auto;margin:1rem 0}
    table{border-collapse:collapse;width:100%;font-size:.89rem;line-height:1.4}
    caption{text-align:left;color:var(--muted);font-size:.86rem;padding:0 0 .5rem}
    caption strong,figcaption strong{color:var(--ink);font-weight:620}
    th,td{text-align:left;vertical-align:baseline;padding:.42rem .9rem .42rem 0;
    border-bottom:1px solid var(--rule)}
    th:last-child,td:last-child{padding-right:0}
    thead th{font-weight:560;color:var(--muted);font-size:.82rem;border-bottom-color:var(--axis);
    vertical-align:bottom}
    tbody th{font-weight:560}
    td.right,th.right{text-align:right}td.right{white-space:nowrap}
    tbody th{min-width:8rem}tbody th.right{min-width:0}.gates tbody th{min-width:11.5rem}
    .gates td:last-child{min-width:6.6rem}
    td .sub,th .sub{display:block;color:var(--muted);font-size:.86em;font-weight:400}
    tr:target{background:var(--panel);outline:2px solid var(--s1)}
    tr.group th{padding-top:1.1rem;font-weight:650}
    .mark-word{white-space:nowrap;font-weight:560}
    .heat table{width:auto;border-collapse:separate;border-spacing:2px;font-size:.8rem}
    @media (min-width:60rem){.broad{width:min(92vw,80rem);margin-left:calc(23.5rem - 1rem - min(46vw,40rem))}}
    .heat th,.heat td{padding:.2rem .4rem;border:0;white-space:pre;text-align:left}
    .heat td{min-width:3.2rem;max-width:7.5rem;overflow:hidden;text-overflow:ellipsis;border-radius:3px;
    background:color-mix(in srgb,var(--c) var(--p),var(--panel));cursor:default}
    .heat .above{--c:var(--s1)}.heat .below{--c:var(--s2)}
    .heat tbody th{min-width:0;color:var(--muted);position:sticky;left:0;background:var(--paper)}
    .heat thead th{position:sticky;top:0;background:var(--paper);max-width:7.5rem;overflow:hidden;
    text-overflow:ellipsis;color:var(--ink)}
    .matrix .scroll{max-height:85vh;overflow:auto}
    .matrix table{border-spacing:1px}.matrix td{min-width:4.4rem;font-weight:560}
    .matrix td,.matrix tbody th{padding:.14rem .4rem}
    .matrix thead th{white-space:normal;min-width:5.4rem;overflow:visible;line-height:1.25;z-index:1}
    .matrix thead th:first-child{left:0;z-index:2}
    .matrix .sub{display:block;color:var(--muted);font-weight:400}
    .matrix tr.first th,.matrix tr.first td{border-top:2px solid var(--axis)}
    .matrix .passed{--c:var(--s3);--p:16%}.matrix .failed{--c:var(--s2);--p:42%}
    .matrix .undecided{--c:var(--s4);--p:26%}.matrix .unasked{--c:var(--paper);--p:100%;
    color:var(--muted);font-weight:400}
    .readout{min-height:3.1em;font-size:.86rem;color:var(--muted);margin:.4rem 0 0}
    figure{margin:1.3rem 0 1.5rem}
    figcaption{color:var(--muted);font-size:.86rem;line-height:1.48;margin:0 0 .8rem;max-width:42rem}
    figure svg{display:block;max-width:100%;height:auto}td svg{display:block}
    .gates td{vertical-align:middle}
    .wide svg,.narrow svg{width:100%}
    .narrow{display:none}
    .absent{padding:.8rem 1rem;border:1px dashed var(--axis);border-radius:6px;color:var(--muted)}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:1rem 1.6rem;
    margin:1.1rem 0}
    .facts dt{font-size:.82rem;color:var(--muted)}.facts dd{margin:.1rem 0 0;font-weight:520}
    .facts .sub{display:block;font-weight:400;font-size:.86rem;color:var(--muted)}
    svg text{font-family:inherit;fill:var(--ink);font-size:12.5px;paint-order:stroke;stroke:var(--paper);
    stroke-width:3px;stroke-linejoin:round}
    svg .tick,svg .axis-label{font-size:11px;fill:var(--muted)}
    svg .value{font-size:12.5px;font-weight:560}
    svg .group-label{font-weight:650;font-size:12.5px}
    svg .missing{font-style:italic;fill:var(--muted);font-size:12px}
    svg .grid{stroke:var(--rule);stroke-width:1}svg .axis{stroke:var(--axis);stroke-width:1}
    svg .reference{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3;opacity:.75}
    svg .dots{fill:none;stroke:var(--c);stroke-linecap:round;opacity:.7}
    svg .stem{stroke:var(--c);stroke-width:5;opacity:.22}svg .bar-line{stroke:var(--ink);stroke-width:1.5}
    svg .step{font-size:11.5px;font-weight:620}svg .step-detail{font-size:10.5px;fill:var(--muted)}
    svg .seal-label{font-size:11px;fill:var(--s4)}
    svg .zone{fill:var(--s3);opacity:.14}svg .panel{fill:var(--panel)}
    svg .box{fill:var(--paper);stroke:var(--axis)}svg .seal{fill:var(--s4);
    fill-opacity:.07;stroke:var(--s4);stroke-width:1.2;stroke-dasharray:4 3}
    svg .flow{stroke:var(--axis);stroke-width:1.5;fill:none}svg .arrow{fill:var(--axis)}
    svg .s1{--c:var(--s1)}svg .s2{--c:var(--s2)}svg .s3{--c:var(--s3)}svg .s4{--c:var(--s4)}
    svg .s5{--c:var(--s5)}
    svg .mark,svg .bar{fill:var(--c);stroke:none}svg .hollow{fill:var(--paper);stroke:var(--c);
    stroke-width:1.8}
    svg .whisker{stroke:var(--c);stroke-width:1.8}svg .curve{fill:none;stroke:var(--c);stroke-width:2;
    stroke-linejoin:round}
    svg .band{fill:var(--c);opacity:.17}svg .dot{fill:var(--c);opacity:.62}
    svg .faint{fill:var(--c);opacity:.38}svg .text{fill:var(--c)}
    .tokens{font-size:.95rem;line-height:2;margin:.8rem 0;padding:.7rem 1rem;background:var(--panel);
    border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}
    .tokens bdi{background:color-mix(in srgb,var(--s2) var(--p,0%),transparent);padding:.12em 0;
    border-radius:2px;box-shadow:inset 0 -2px 0 color-mix(in srgb,var(--s2) var(--q,0%),transparent)}
    .tokens .role{display:block;font-size:.78rem;color:var(--muted);line-height:1.4}
    .tokens .unscored{color:var(--muted)}
    .legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.84rem;color:var(--muted);
    list-style:none;margin:.4rem 0 0;padding:0}
    details{margin:.8rem 0}summary{cursor:pointer;color:var(--muted);font-size:.89rem}
    footer.page{margin-top:3rem;padding-top:1.2rem;padding-bottom:3rem;color:var(--muted);
    font-size:.84rem}
    @media (max-width:40rem){body{font-size:15.5px}h1{font-size:1.62rem}.wide{display:none}
    .narrow{display:block}header.page{padding-top:1.4rem}section{margin-top:2rem}
    .verdict{padding:.95rem 1rem}.verdict .answer{font-size:1.08rem}
    table.stack thead{position:absolute;left:-999rem}
    table.stack tr{display:block;padding:.6rem 0;border-bottom:1px solid var(--rule)}
    table.stack th,table.stack td{display:block;border:0;padding:.1rem 0;text-align:left}
    tbody th,.gates tbody th{min-width:0}table.stack td .sub{display:inline;margin-left:.5rem}
    table.stack td[data-label]::before{content:attr(data-label) ": ";color:var(--muted);
    font-size:.86em;font-weight:400}}
    """

  private static let print = """
    body{font-size:10.5pt}nav.contents,button.theme,.skip{display:none}
    figure,tr,.verdict{break-inside:avoid}h2,h3{break-after:avoid}
    header.page,main,footer.page{max-width:none}.scroll,.matrix .scroll{overflow:visible;
    max-height:none}
    """
}

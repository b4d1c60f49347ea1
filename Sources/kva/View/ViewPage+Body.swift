extension ViewPage {
  /// The parts of the page, which its script fills.
  static let body =
    #"""
    <header>
    <h1 id="title">kva view</h1>
    <p id="dump"></p>
    <nav aria-label="Parts of this page">
    <a href="#lookup">Look up</a> <a href="#space">Address space</a> <a href="#memory">RAM</a> <a href="#crash">Crash</a>
    <a href="#findings">Findings</a> <a href="#report">Report</a> <a href="#stacks">Stacks</a>
    </nav>
    <noscript><p>The pictures and the look-up of addresses need JavaScript.</p></noscript>
    </header>
    <main>
    <section id="lookup" aria-labelledby="lookup-title">
    <h2 id="lookup-title">Look up an address</h2>
    <form id="ask"><label for="address">Virtual address, in hex</label>
    <input id="address" autocomplete="off" spellcheck="false" placeholder="0xffff800080000000">
    <button type="submit">Look up</button></form>
    <div id="answer" aria-live="polite"></div>
    </section>
    <section id="space" aria-labelledby="space-title">
    <h2 id="space-title">Address space</h2>
    <p>Each strip shows a region at its own scale, in the colours of what may be done with what is mapped there. Holes longer
    than a twentieth of that are shortened; below, the region that is chosen is shown as it is, down to single entries.</p>
    <ul id="access-legend" class="legend" aria-label="Colours"></ul>
    <table id="regions" class="rows"><caption>Regions of the kernel's address space</caption></table>
    <div id="space-detail" class="detail"></div>
    <table id="access" class="rows"><caption>What is mapped, by permissions and memory type</caption></table>
    </section>
    <section id="memory" aria-labelledby="memory-title">
    <h2 id="memory-title">RAM by use</h2>
    <p id="memory-note"></p>
    <table id="uses" class="rows"><caption>Page frames by use</caption></table>
    <table id="parts" class="rows"><caption>Ranges of RAM</caption></table>
    <div id="memory-detail" class="detail"></div>
    </section>
    <section id="crash" aria-labelledby="crash-title">
    <h2 id="crash-title">Addresses of the crash</h2>
    <table id="pins" class="rows"><caption>Registers, stacks and the address that faulted</caption></table>
    </section>
    <section id="findings" aria-labelledby="findings-title">
    <h2 id="findings-title">Findings of the audit</h2>
    <p id="findings-note"></p>
    <table id="found" class="rows"><caption>What no healthy kernel has in its tables, and known oddities</caption></table>
    </section>
    <section id="report" aria-labelledby="report-title">
    <h2 id="report-title">Report</h2>
    <pre id="report-text" role="region" tabindex="0" aria-labelledby="report-title"></pre>
    </section>
    <section id="stacks" aria-labelledby="stacks-title">
    <h2 id="stacks-title">Stacks, equal ones once</h2>
    <pre id="stacks-text" role="region" tabindex="0" aria-labelledby="stacks-title"></pre>
    </section>
    </main>
    """#
}

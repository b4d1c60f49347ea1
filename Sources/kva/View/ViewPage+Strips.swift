extension ViewPage {
  /// The second half of the script: draws, and fills the page.
  static let strips =
    #"""
    // MARK: Strips

    function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue('--k-' + name).trim(); }
    const notable = name => name === 'writeexecute';

    // A fill with a star is hatched.
    const isHatched = name => name.endsWith('*') || name === 'absent' || name === 'empty';

    // Draws what `pieces` gives of `count` units from `start` on: [from, units, fill] each.
    function paint(canvas, start, count, rows, cell, pieces) {
      const ratio = window.devicePixelRatio || 1, across = canvas.clientWidth;
      if (!across) return null;
      const columns = Math.max(1, Math.floor(across / cell)), cells = columns * rows, per = count / cells;
      canvas.width = Math.round(columns * cell * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
      const context = canvas.getContext('2d');
      const height = canvas.height / rows, width = canvas.width / columns;
      const best = new Array(cells), share = new Float64Array(cells);
      for (const [from, units, name] of pieces) {
        const low = Math.max(from, start) - start, high = Math.min(from + units, start + count) - start;
        let index = Math.min(cells - 1, Math.floor(low / per));
        const end = Math.min(cells - 1, Math.ceil(high / per) - 1);
        for (; index <= Math.max(end, index); index++) {
          const part = Math.min(high, (index + 1) * per) - Math.max(low, index * per);
          if (notable(name) || !notable(best[index]) && part > share[index]) { best[index] = name; share[index] = part; }
          if (index >= end) break;
        }
      }
      const cache = new Map();
      for (let index = 0; index < cells; index++) {
        const name = best[index];
        if (!name) continue;
        if (!cache.has(name)) cache.set(name, colour(name.replace('*', '')));
        context.fillStyle = cache.get(name);
        const x = Math.floor(index % columns * width), y = Math.floor(Math.floor(index / columns) * height);
        context.fillRect(x, y, Math.ceil(width), Math.ceil(height));
        if (isHatched(name)) hatch(context, x, y, Math.ceil(width), Math.ceil(height));
      }
      return {columns, cells, per};
    }
    function hatch(context, x, y, width, height) {
      context.fillStyle = colour('line');
      // In step with the canvas: a cell may be narrower than the distance of two lines.
      for (let at = (4 - x % 4) % 4; at < width; at += 4) context.fillRect(x + at, y, 1, height);
    }

    // A part of some strips in detail, with buttons to move: shared by addresses and frames.
    class Detail {
      constructor(target, options) {
        Object.assign(this, options);
        this.title = make('h3', {'aria-live': 'polite'});
        this.canvas = make('canvas', {role: 'img'});
        this.canvas.style.height = `${this.rows === 1 ? 28 : this.rows * this.cell}px`;
        this.canvas.onclick = event => {
          const box = this.canvas.getBoundingClientRect();
          if (!this.grid) return;
          const column = Math.floor((event.clientX - box.left) / box.width * this.grid.columns);
          const row = Math.floor((event.clientY - box.top) / box.height * this.rows);
          const middle = this.start + (row * this.grid.columns + column + 0.5) * this.grid.per;
          this.move(middle, this.count / 8);
        };
        const button = (name, action) => make('button', {type: 'button', onclick: action}, name);
        const middle = () => this.start + this.count / 2;
        this.table = make('table', {className: 'rows'}, make('caption', {}, this.caption));
        this.note = make('p');
        target.append(this.title, make('div', {className: 'bar', role: 'group', 'aria-label': this.name},
          button('Zoom in', () => this.move(middle(), this.count / 4)),
          button('Zoom out', () => this.move(middle(), this.count * 4)),
          button('Back', () => this.move(middle() - this.count / 2, this.count)),
          button('Forward', () => this.move(middle() + this.count / 2, this.count)),
          button('All of it', () => this.open(this.place))), this.canvas, this.table, this.note);
      }
      open(place, start = place.start, count = place.count) {
        this.place = place;
        this.move(start + count / 2, count);
      }
      move(middle, count) {
        this.count = Math.max(Math.min(8, this.place.count), Math.min(Math.ceil(count), this.place.count));
        const last = this.place.start + this.place.count - this.count;
        this.start = Math.max(this.place.start, Math.min(Math.floor(middle - this.count / 2), last));
        this.draw();
        this.list();
      }
      draw() {
        if (!this.place) return;
        this.grid = paint(this.canvas, this.start, this.count, this.rows, this.cell, this.pieces(this.start, this.count));
        this.title.textContent = this.describe(this.place, this.start, this.count);
        this.canvas.setAttribute('aria-label', this.title.textContent + '; the table below lists what is in it');
      }
    }

    function* runPieces(start, count) {
      for (let number = Math.max(0, before(runs.start, start)); number < runs.start.length; number++) {
        if (runs.start[number] >= start + count) return;
        if (runs.start[number] + runs.pages[number] <= start) continue;
        yield [runs.start[number], runs.pages[number], data.kinds[runs.kind[number]].fill, number];
      }
    }

    const spaceRows = data.regions.filter(region => BigInt(region.start) >= first).map(region => {
      const start = Number((BigInt(region.start) - first) >> shift);
      const end = BigInt(region.end) === 0n ? Number((2n ** 64n - first) >> shift) : Number((BigInt(region.end) - first) >> shift);
      return {region, start, count: end - start};
    });

    const space = new Detail(byID('space-detail'), {
      name: 'Move in the address space', caption: 'Entries, guards and holes in this part', rows: 1, cell: 1,
      pieces: runPieces,
      describe: (place, start, count) =>
        `${place.region.name}: ${wide(addressOf(start))}-${wide(addressOf(start + count) - 1n)}, ${size(BigInt(count) << shift)}`,
      list() {
        const rows = [];
        let next = this.start, more = 0;
        const end = this.start + this.count;
        const push = row => rows.length < mostRows ? rows.push(row()) : more++;
        const gap = (from, to) => push(() => {
          const area = areaAt(addressOf(from));
          const isGuard = this.place.region.name === 'guard' || area && addressOf(to) - 1n <= area.last;
          return [goTo(wide(addressOf(from)), addressOf(from)), size(BigInt(to - from) << shift),
            make('span', {}, swatch('empty'), isGuard ? 'guard' : 'hole'), '', '', areaText(area)];
        });
        for (const [from, pages, fillName, number] of this.pieces(this.start, this.count)) {
          if (from > next) gap(next, from);
          const kind = data.kinds[runs.kind[number]], step = levelPages(kind.level);
          const low = Math.max(from, this.start), high = Math.min(from + pages, end);
          // Entry by entry if they all can be shown.
          const isSingle = this.count / step <= mostRows, begin = from + Math.floor((low - from) / step) * step;
          for (let at = begin; at < high; at += isSingle ? step : high - begin) {
            push(() => {
              const physical = runs.physical[number] + (kind.repeated ? 0 : at - from);
              const length = isSingle ? step : high - at;
              return [goTo(wide(addressOf(at)), addressOf(at)), size(BigInt(length) << shift),
                make('span', {}, swatch(fillName), `${kind.access}, ${kind.type}`), hex(BigInt(physical) << shift),
                `${kind.level}`, areaText(areaAt(addressOf(at), addressOf(at + length) - 1n))];
            });
          }
          next = Math.max(next, from + pages);
        }
        if (next < end) gap(next, end);
        fill(this.table, [['Address', 'n'], ['Size', 'r'], ['Access'], ['Physical', 'n'], ['Level', 'r'], ['What']], rows);
        this.note.textContent = more ? `and ${more} more: zoom in to see them` : '';
      },
    });

    // MARK: RAM

    const frameRows = [];
    if (data.frames) {
      for (const part of data.frames.parts) {
        const numbers = new Numbers(part.runs), row = {start: part.first, count: 0, starts: [], pages: [], uses: [], lacking: []};
        while (numbers.more) {
          const word = numbers.next(), use = word % 16, pages = Math.floor(word / 32);
          row.starts.push(row.start + row.count); row.pages.push(pages); row.uses.push(use);
          row.lacking.push(word % 32 >= 16);
          row.count += pages;
        }
        frameRows.push(row);
      }
    }
    const useText = (row, number) => data.uses[row.uses[number]] + (row.lacking[number] ? ', not in the dump' : '');
    function* framePieces(row, start, count) {
      for (let number = Math.max(0, before(row.starts, start)); number < row.starts.length; number++) {
        if (row.starts[number] >= start + count) return;
        const star = row.lacking[number] ? '*' : '';
        yield [row.starts[number], row.pages[number], data.useFills[row.uses[number]] + star, useText(row, number)];
      }
    }
    function useOf(physical) {
      const frame = Number(physical >> shift), row = frameRows.find(row => frame >= row.start && frame < row.start + row.count);
      if (!row) return data.frames ? 'not RAM' : '';
      const number = before(row.starts, frame);
      return `${data.uses[row.uses[number]]} page${row.lacking[number] ? ', not in the dump' : ''}`;
    }
    const memory = new Detail(byID('memory-detail'), {
      name: 'Move in RAM', caption: 'Page frames in this part', rows: 16, cell: 8,
      pieces(start, count) { return framePieces(this.place, start, count); },
      describe: (place, start, count) => `Frames ${start} to ${start + count - 1}, from ${hex(BigInt(start) << shift)} on, `
        + size(BigInt(count) << shift),
      list() {
        const rows = [];
        let more = 0;
        const end = this.start + this.count, isSingle = this.count <= mostRows && data.frames.group === 1;
        for (const [from, pages, fillName, use] of this.pieces(this.start, this.count)) {
          const low = Math.max(from, this.start), high = Math.min(from + pages, end);
          for (let at = low; at < high; at += isSingle ? 1 : high - low) {
            if (rows.length >= mostRows) { more++; continue; }
            rows.push([`${at}`, hex(BigInt(at) << shift), make('span', {}, swatch(fillName), use),
              `${isSingle ? 1 : high - low}`]);
          }
        }
        fill(this.table, [['Frame', 'n'], ['Physical', 'n'], ['Use'], ['Pages', 'r']], rows);
        this.note.textContent = more ? `and ${more} more: zoom in to see them` : '';
      },
    });
    function showFrame(physical) {
      const frame = Number(physical >> shift), row = frameRows.find(row => frame >= row.start && frame < row.start + row.count);
      if (!row) return;
      memory.open(row, Math.max(row.start, frame - 32), 64);
      byID('memory-detail').scrollIntoView();
    }

    // MARK: The page

    const strips = [];
    function stripOf(label, start, count, pieces) {
      const canvas = make('canvas', {className: 'strip', role: 'img', 'aria-label': label});
      strips.push(() => paint(canvas, start, count, 1, 1, pieces(start, count)));
      return canvas;
    }
    // A region with its long holes shortened: most regions are holes almost all over.
    function foldedStrip(row, label) {
      const inside = [...runPieces(row.start, row.count)].map(([from, pages, name]) => {
        const low = Math.max(from, row.start);
        return [low, Math.min(from + pages, row.start + row.count) - low, name];
      });
      const most = Math.max(1, inside.reduce((sum, piece) => sum + piece[1], 0) / 20);
      const pieces = [];
      let next = row.start, place = 0;
      for (const [from, pages, name] of [...inside, [row.start + row.count, 0, 'empty']]) {
        const hole = Math.min(from - next, most);
        if (hole > 0) pieces.push([place, hole, 'empty']);
        place += Math.max(hole, 0);
        if (pages) pieces.push([place, pages, name]);
        place += pages;
        next = from + pages;
      }
      return stripOf(label, 0, place, () => pieces);
    }

    document.title = `${data.release || 'Kernel'}: kva view`;
    byID('title').textContent = data.release ? `Linux ${data.release}` : 'A kernel of unknown release';
    byID('dump').textContent = `${data.dump}; ${data.leafCount} mappings`
      + (data.cutShort ? '; its tables are too large or damaged, and some entries were left out of this page' : '');
    legend(byID('access-legend'), [['write', 'writable'], ['readonly', 'read-only'], ['execute', 'executable'],
      ['writeexecute', 'writable and executable'], ['device', 'device memory'], ['empty', 'guard or hole']]);

    fill(byID('regions'), [['Region'], ['Start', 'n'], ['Last', 'n'], ['Size', 'r'], ['Mapped', 'r'], ['Strip', 'wide']],
      data.regions.map(region => {
        const row = spaceRows.find(row => row.region === region);
        const last = BigInt.asUintN(64, BigInt(region.end) - 1n);
        const name = region.optional ? `[${region.name}]` : region.name;
        const mapped = region.mapped;
        return [
          row ? make('button', {type: 'button', className: 'go', onclick: () => space.open(row)}, swatch(region.fill), name) : name,
          wide(BigInt(region.start)), wide(last), roughSize(BigInt.asUintN(64, BigInt(region.end) - BigInt(region.start))),
          mapped === null ? '' : counted(size(mapped), mapped),
          row && mapped ? foldedStrip(row, `${name}, ${size(mapped)} mapped`) : ''];
      }));
    {
      const sums = new Map();
      for (let number = 0; number < runs.start.length; number++) {
        const kind = data.kinds[runs.kind[number]], key = `${kind.access}, ${kind.type}`;
        const sum = sums.get(key) || {fill: kind.fill, entries: 0, pages: 0};
        sum.entries += runs.pages[number] / levelPages(kind.level);
        sum.pages += runs.pages[number];
        sums.set(key, sum);
      }
      fill(byID('access'), [['Access'], ['Entries', 'r'], ['Bytes', 'r'], ['Size', 'r']],
        [...sums].sort((a, b) => b[1].pages - a[1].pages).map(([name, sum]) => [make('span', {}, swatch(sum.fill), name),
          `${sum.entries}`, `${BigInt(sum.pages) << shift}`, size(BigInt(sum.pages) << shift)]));
    }
    if (data.frames) {
      const counts = data.frames.counts, total = counts.reduce((sum, count) => sum + count, 0);
      const rows = data.uses.map((use, number) => [use, counts[number], data.useFills[number]]).filter(row => row[1]);
      fill(byID('uses'), [['Use'], ['Pages', 'r'], ['Bytes', 'r'], ['Size', 'r'], ['Share', 'r']],
        [...rows, ['total', total, null]].map(([use, pages, name]) => [
          make('span', {}, name ? swatch(name) : null, use), `${pages}`, `${BigInt(pages) << shift}`, size(BigInt(pages) << shift),
          `${(100 * pages / Math.max(total, 1)).toFixed(1)}%`]));
      fill(byID('parts'), [['RAM from', 'n'], ['Size', 'r'], ['Strip', 'wide']], frameRows.map(row => [
        make('button', {type: 'button', className: 'go n', onclick: () => memory.open(row)}, hex(BigInt(row.start) << shift)),
        size(BigInt(row.count) << shift),
        stripOf(`RAM from ${hex(BigInt(row.start) << shift)}`, row.start, row.count,
          (start, count) => framePieces(row, start, count))]));
      const notes = [];
      if (data.frames.lacking) notes.push(`${data.frames.lacking} pages are not in the dump: they are hatched.`);
      if (data.frames.group > 1) notes.push(`Groups of ${data.frames.group} pages are shown by what most of them are used for.`);
      byID('memory-note').textContent = notes.join(' ');
    } else {
      byID('memory-note').textContent = 'What frames are used for is not known: struct page is not.';
    }
    fill(byID('pins'), [['What'], ['Address', 'n'], ['Points to']], data.pins.map(pin =>
      [pin.name, goTo(hex(BigInt(pin.address)), BigInt(pin.address)), pin.text]));
    fill(byID('found'), [['Finding'], ['From', 'n'], ['Size', 'r'], ['Meaning']], [
      ...data.findings.map(one => [`${one.severity}: ${one.code}`, goTo(hex(BigInt(one.start)), BigInt(one.start)),
        size(one.size), one.message]),
      ...data.oddities.map(one => [`known: ${one.code}`, goTo(hex(BigInt(one.start)), BigInt(one.start)), size(one.size), one.message])]);
    byID('findings-note').textContent = (data.findingCount === 1 ? '1 finding' : `${data.findingCount || 'No'} findings`)
      + (data.findingCount > data.findings.length ? `, of which the first ${data.findings.length} are listed` : '');
    byID('report-text').textContent = data.report;
    byID('stacks-text').textContent = data.stacks;

    if (spaceRows.length) space.open(spaceRows.find(row => row.region.name === 'kernel image') || spaceRows[0]);
    if (frameRows.length) memory.open(frameRows.reduce((a, b) => a.count >= b.count ? a : b));
    function redraw() { for (const draw of strips) draw(); space.draw(); memory.draw(); }
    redraw();
    window.addEventListener('resize', redraw);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    window.addEventListener('hashchange', follow);
    follow();
    """#
}

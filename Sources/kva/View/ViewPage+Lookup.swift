extension ViewPage {
  /// The first half of the script: decodes the data, and looks addresses up.
  static let lookup =
    #"""
    'use strict';
    const data = JSON.parse(document.getElementById('data').textContent);
    const byID = id => document.getElementById(id);
    const first = BigInt(data.first), shift = BigInt(data.pageShift), pageSize = 2 ** data.pageShift;
    const hex = value => '0x' + value.toString(16);
    const wide = value => '0x' + value.toString(16).padStart(16, '0');
    const addressOf = page => first + (BigInt(page) << shift);
    const mostRows = 100;

    // Everything that comes from the dump is text here, never markup.
    function make(tag, properties, ...children) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(properties || {})) {
        if (name in element) element[name] = value; else element.setAttribute(name, value);
      }
      element.append(...children.filter(child => child !== null && child !== undefined));
      return element;
    }

    function size(bytes) {
      const value = BigInt(bytes);
      const units = [[40n, 'T'], [30n, 'G'], [20n, 'M'], [10n, 'K']];
      for (const [by, unit] of units) {
        if (value >= 1n << by && value % (1n << by) === 0n) return `${value >> by}${unit}`;
      }
      return `${value}`;
    }

    // The same, rounded to whole units as kva regions does.
    function roughSize(bytes) {
      const value = BigInt(bytes);
      const units = [[60n, 'E'], [50n, 'P'], [40n, 'T'], [30n, 'G'], [20n, 'M'], [10n, 'K']];
      const [by, unit] = units.find(([by]) => value >> by) || [0n, ''];
      const count = (value >> by) + (by && value >> by - 1n & 1n), off = (count << by) - value;
      return `${(off < 0n ? -off : off) > value / 1000n ? '~' : ''}${count}${unit}`;
    }
    const counted = (text, bytes) => make('span', {'data-bytes': `${bytes}`}, text);

    // Each column: its header, and 'r' for numbers, 'n' for addresses.
    function fill(table, columns, rows) {
      const head = make('thead', {}, make('tr', {}, ...columns.map(([name, kind]) =>
        make('th', {scope: 'col', className: kind === 'r' ? 'r' : ''}, name))));
      const body = make('tbody', {}, ...rows.map(row => {
        const line = make('tr', {}, ...row.map((cell, number) => make(
          number === 0 ? 'th' : 'td',
          {className: columns[number][1] || '', 'data-label': columns[number][0], ...(number === 0 ? {scope: 'row'} : {})},
          cell)));
        return line;
      }));
      for (const old of table.querySelectorAll('thead, tbody')) old.remove();
      table.append(head, body);
    }

    function goTo(text, address) {
      return make('button', {type: 'button', className: 'go n', onclick: () => ask(address)}, text);
    }
    const swatch = fillName => make('span', {className: 'swatch k-' + fillName.replace('*', ' lacking'), 'aria-hidden': 'true'});
    function legend(list, entries) {
      list.replaceChildren(...entries.map(([fillName, text]) => make('li', {}, swatch(fillName), text)));
    }

    // MARK: What the tables map

    function bytes(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }
    class Numbers {
      constructor(text) { this.bytes = bytes(text); this.at = 0; }
      get more() { return this.at < this.bytes.length; }
      // Sums and products, since shifts have 32 bits; none is above 2^53.
      next() {
        let value = 0, scale = 1;
        for (;;) {
          const byte = this.bytes[this.at++];
          value += (byte & 127) * scale;
          if (byte < 128) return value;
          scale *= 128;
        }
      }
      signed() { const value = this.next(); return value % 2 ? -(value + 1) / 2 : value / 2; }
    }

    const levelPages = level => 2 ** (data.indexBits * (3 - level));
    const runs = {start: [], pages: [], physical: [], kind: []};
    {
      const numbers = new Numbers(data.leaves);
      let page = 0, physical = 0;
      while (numbers.more) {
        const head = numbers.next(), flags = head % 8, number = (head - flags) / 8, kind = data.kinds[number];
        if (flags & 1) page += numbers.next();
        if (flags & 2) physical += numbers.signed();
        const count = flags & 4 ? numbers.next() + 2 : 1, pages = count * levelPages(kind.level);
        runs.start.push(page); runs.pages.push(pages); runs.physical.push(physical); runs.kind.push(number);
        page += pages;
        if (!kind.repeated) physical += pages;
      }
    }
    // Entries that lead to tables, by their own address in words, and any one of each table.
    const links = new Map(), anyLink = new Map();
    {
      const numbers = new Numbers(data.tables);
      let entry = 0, table = 0;
      while (numbers.more) {
        entry += numbers.signed();
        const rest = numbers.next();
        table += numbers.signed();
        const link = {rest: BigInt(data.tableKinds[rest]), table: BigInt(table) << shift};
        links.set(entry, link);
        const page = Math.floor(entry / (pageSize / 8));
        if (!anyLink.has(page)) anyLink.set(page, link);
      }
    }
    const odd = data.odd.map(one => ({...one, first: BigInt(one.first), last: BigInt(one.last)}));

    // The last element of `starts` that is not above `value`.
    function before(starts, value) {
      let low = 0, high = starts.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (starts[middle] <= value) low = middle + 1; else high = middle;
      }
      return low - 1;
    }
    function runAt(page) {
      const number = before(runs.start, page);
      return number >= 0 && page < runs.start[number] + runs.pages[number] ? number : -1;
    }

    const areas = data.areas.map(area => ({...area, first: BigInt(area.first), last: BigInt(area.last)}));
    const areaStarts = areas.map(area => area.first);
    // The smallest area that holds `address` through `last`, of those that begin shortly before it.
    function areaAt(address, last = address) {
      let found = null;
      const from = before(areaStarts, address);
      for (let number = from; number >= 0 && number > from - 16; number--) {
        const area = areas[number];
        if (area.last >= last && (!found || area.last - area.first < found.last - found.first)) found = area;
      }
      return found;
    }
    const areaText = area => area ? `${['bpf', 'module'].includes(area.kind) ? area.kind + ' ' : ''}${area.name}` : '';

    // MARK: Looking up an address

    const lowMask = BigInt(data.lowMask), highMask = BigInt(data.highMask), highShift = BigInt(data.highShift);
    const compose = (rest, address) => BigInt(rest) ^ (address & lowMask | (highMask ? address >> highShift & highMask : 0n));

    function look(address) {
      const upper = address >> 55n & 1n, width = BigInt(data.addressBits);
      const ones = (1n << (55n - width)) - 1n;
      if ((address >> width & ones) !== (upper ? ones : 0n)) return {address, status: 'not-canonical', steps: []};
      if (!upper) return {address, plain: address & (1n << 56n) - 1n, status: 'no-tables', steps: []};
      const plain = address | 0xffn << 56n, page = Number((plain - first) >> shift);
      const found = runAt(page), steps = [];
      let table = BigInt(data.root);
      for (let level = data.startLevel; level <= 3; level++) {
        const low = shift + BigInt(data.indexBits * (3 - level));
        const high = level === data.startLevel ? BigInt(data.tableBits) : low + BigInt(data.indexBits);
        const index = plain >> low & (1n << (high - low)) - 1n, entry = table + index * 8n;
        const step = {level, index: Number(index), entry, low};
        if (found >= 0 && data.kinds[runs.kind[found]].level === level) {
          const kind = data.kinds[runs.kind[found]], pages = levelPages(level);
          const inside = kind.repeated ? 0 : Math.floor((page - runs.start[found]) / pages) * pages;
          const start = BigInt(runs.physical[found] + inside) << shift;
          step.descriptor = compose(kind.rest, start);
          step.kind = level === 3 ? 'page' : 'block';
          steps.push(step);
          return {address, plain, status: 'mapped', steps, kind, physical: start + (plain & (1n << low) - 1n)};
        }
        const strange = odd.find(one => one.level === level && one.first <= plain && plain <= one.last);
        if (strange && strange.what === 'missing') return {address, plain, status: 'table-missing', steps};
        if (strange) {
          step.descriptor = BigInt(strange.descriptor);
          step.kind = strange.what === 'corrupt' ? 'reserved' : 'invalid';
          steps.push(step);
          return {address, plain, status: strange.what === 'corrupt' ? 'corrupt' : 'unmapped', steps};
        }
        const repeated = found >= 0 && data.kinds[runs.kind[found]].repeated;
        const link = links.get(Number(entry >> 3n)) || (repeated ? anyLink.get(Number(table >> shift)) : undefined);
        if (!link) {
          if (data.cutShort) return {address, plain, status: 'left out of this page', steps};
          step.descriptor = 0n;
          step.kind = 'invalid';
          steps.push(step);
          return {address, plain, status: 'unmapped', steps};
        }
        step.descriptor = compose(link.rest, link.table);
        step.kind = 'table';
        steps.push(step);
        table = link.table;
      }
      return {address, plain, status: 'corrupt', steps};
    }

    function bitBoxes(fields, word) {
      return make('div', {className: 'bits', 'aria-hidden': 'true'}, ...fields.map(field => {
        const width = field.high - field.low + 1;
        const value = word >> BigInt(field.low) & (1n << BigInt(width)) - 1n;
        const digits = width <= 4 ? value.toString(2).padStart(width, '0') : hex(value);
        const box = make('span', {title: `[${bitsOf(field)}] ${field.name}`}, digits);
        box.style.flexGrow = width;
        box.style.borderBottomColor = `var(--k-${field.fill})`;
        return box;
      }));
    }
    const bitsOf = field => field.high === field.low ? `${field.high}` : `${field.high}:${field.low}`;
    function fieldTable(caption, fields, word) {
      const table = make('table', {className: 'rows'}, make('caption', {}, caption));
      fill(table, [['Bits'], ['Field'], ['Value']], fields.filter(field => field.name !== 'ignored').map(field => {
        const width = BigInt(field.high - field.low + 1), value = word >> BigInt(field.low) & (1n << width) - 1n;
        const words = field.meanings.length ? field.meanings[Number(value)] || `${value}`
          : field.isAddress ? hex(value << BigInt(field.low)) : width === 1n ? `${value}` : hex(value);
        return [bitsOf(field), field.name, words];
      }));
      return table;
    }
    const regionAt = address => data.regions.filter(one => !one.optional).reverse().find(one => {
      const start = BigInt(one.start), end = BigInt(one.end);
      return address >= start && (end === 0n || address < end);
    });

    function show(answer) {
      const target = byID('answer');
      const region = regionAt(answer.plain ?? answer.address);
      const lines = [make('p', {}, make('strong', {id: 'status'}, answer.status), ' ',
        make('code', {}, hex(answer.address)))];
      if (answer.physical !== undefined) {
        lines.push(make('p', {}, 'physical ', make('code', {id: 'physical'}, hex(answer.physical)),
          `, ${answer.kind.access}, ${answer.kind.type}, ${size(1n << answer.steps.at(-1).low)} ${answer.steps.at(-1).kind}, `,
          make('button', {type: 'button', className: 'go', onclick: () => showFrame(answer.physical)}, useOf(answer.physical))));
      }
      if (answer.status === 'no-tables') lines.push(make('p', {}, 'An address of user space: its tables are not in this page.'));
      if (region) lines.push(make('p', {}, 'region ', make('span', {id: 'region'}, region.name)));
      const area = answer.plain !== undefined ? areaAt(answer.plain) : null;
      if (area) lines.push(make('p', {}, areaText(area)));
      lines.push(make('h3', {}, 'The address'), bitBoxes(data.address, answer.address),
        fieldTable('Fields of the address', data.address, answer.address));
      if (answer.steps.length) {
        const walk = make('table', {id: 'walk', className: 'rows'}, make('caption', {}, `The walk from ${data.register}`));
        fill(walk, [['Level'], ['Index'], ['Entry at', 'n'], ['Descriptor', 'n'], ['Kind']], answer.steps.map(step =>
          [`${step.level}`, `${step.index}`, hex(step.entry), hex(step.descriptor), step.kind]));
        lines.push(walk);
        for (const step of answer.steps.filter(step => ['table', 'block', 'page'].includes(step.kind))) {
          const fields = step.kind === 'table' ? data.table : data.leaf[step.level - data.startLevel].fields;
          lines.push(make('h3', {}, `Level ${step.level}, entry ${step.index}: ${hex(step.descriptor)}`),
            bitBoxes(fields, step.descriptor), fieldTable(`Fields of the ${step.kind} descriptor`, fields, step.descriptor));
        }
      }
      target.replaceChildren(...lines);
      if (answer.plain !== undefined && region) {
        const page = Number((answer.plain - first) >> shift), place = spaceRows.find(row => row.region === region);
        if (place) space.open(place, Math.max(place.start, page - 32), 64);
      }
    }

    function ask(address) {
      const fragment = '#address=' + hex(address);
      if (location.hash === fragment) follow(); else location.hash = fragment;
      byID('lookup').scrollIntoView();
    }
    function follow() {
      const match = /^#address=(?:0x)?([0-9a-f]{1,16})$/i.exec(location.hash);
      if (!match) return;
      const address = BigInt('0x' + match[1]);
      byID('address').value = hex(address);
      byID('address').removeAttribute('aria-invalid');
      show(look(address));
    }
    byID('ask').addEventListener('submit', event => {
      event.preventDefault();
      const text = byID('address').value.trim().replace(/^0x/i, '').replace(/[_ ]/g, '');
      if (/^[0-9a-f]{1,16}$/i.test(text)) return ask(BigInt('0x' + text));
      byID('address').setAttribute('aria-invalid', 'true');
      byID('answer').replaceChildren(make('p', {className: 'bad'}, 'Type an address: up to 16 hex digits.'));
    });
    """#
}

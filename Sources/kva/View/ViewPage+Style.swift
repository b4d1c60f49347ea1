extension ViewPage {
  /// The style sheet: light and dark mode, narrow screens, and print.
  static let style =
    #"""
    :root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--faint:#57606a;--rule:#d0d7de;--link:#0550ae;--raised:#f6f8fa}
    @media (prefers-color-scheme:dark){
    :root{--ink:#e6edf3;--paper:#0d1117;--faint:#9aa4af;--rule:#3d444d;--link:#79b8ff;--raised:#161b22}}
    *{box-sizing:border-box}
    body{margin:0 auto;max-width:1200px;padding:0 16px 48px;background:var(--paper);color:var(--ink);
    font:15px/1.5 system-ui,"DejaVu Sans",sans-serif}
    h1{font-size:1.4rem;margin:16px 0 4px;overflow-wrap:anywhere}
    h2{font-size:1.15rem;margin:32px 0 8px;padding-top:8px;border-top:1px solid var(--rule)}
    h3{font-size:1rem;margin:16px 0 4px}
    p{margin:4px 0;overflow-wrap:anywhere}
    a,.go{color:var(--link)}
    nav a{display:inline-block;padding:4px 8px 4px 0}
    code,pre,.n,input{font-family:ui-monospace,"DejaVu Sans Mono",Consolas,monospace;font-size:13px}
    pre{background:var(--raised);border:1px solid var(--rule);padding:8px;margin:0;max-height:36rem;overflow:auto;
    white-space:pre-wrap;overflow-wrap:anywhere}
    form{display:flex;flex-wrap:wrap;gap:8px;align-items:center}
    input{font-size:15px;padding:6px 8px;width:22ch;max-width:100%;color:inherit;background:var(--paper);
    border:1px solid var(--faint);border-radius:4px}
    button{font:inherit;padding:4px 10px;color:var(--ink);background:var(--raised);border:1px solid var(--faint);
    border-radius:4px;cursor:pointer}
    button.go{padding:0;border:0;background:none;text-decoration:underline;text-align:left;overflow-wrap:anywhere}
    :focus-visible{outline:3px solid var(--link);outline-offset:2px}
    table{border-collapse:collapse;width:100%;margin:12px 0}
    caption{text-align:left;font-weight:bold;padding:4px 0}
    th,td{text-align:left;vertical-align:top;padding:3px 10px 3px 0;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
    th{color:var(--faint);font-weight:600}
    td.r,th.r{text-align:right}
    td.n{white-space:nowrap}
    td.wide{width:34%}
    canvas{display:block;width:100%;border:1px solid var(--faint);image-rendering:pixelated}
    canvas.strip{height:20px}
    .detail canvas{cursor:zoom-in}
    .bar{display:flex;flex-wrap:wrap;gap:8px;margin:8px 0}
    .legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:8px 0;padding:0}
    .swatch{display:inline-block;width:14px;height:14px;margin-right:6px;vertical-align:-2px;border:1px solid var(--faint)}
    .bits{display:flex;flex-wrap:wrap;margin:4px 0 8px}
    .bits span{min-width:14px;padding:2px 1px;border:1px solid var(--faint);border-bottom-width:6px;text-align:center;
    font:11px ui-monospace,"DejaVu Sans Mono",monospace;overflow:hidden}
    .bad{font-weight:bold}
    @media (max-width:640px){
    table.rows thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    table.rows,table.rows caption,table.rows tbody,table.rows tr,table.rows td,table.rows th{display:block}
    table.rows tr{padding:6px 0;border-bottom:1px solid var(--rule)}
    table.rows td,table.rows th{border:0;padding:0;text-align:left;white-space:normal;width:auto}
    table.rows td[data-label]::before{content:attr(data-label) ": ";color:var(--faint)}
    td.wide{width:auto}table.rows td:empty{display:none}}
    @media print{nav,form,.bar,.detail{display:none}pre{max-height:none;overflow:visible}
    section{break-inside:auto}tr{break-inside:avoid}body{max-width:none;font-size:11px}
    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
    """#
}

"""The control API of `chaffinch load serve`; importing this package loads nothing.

`serve.serve` is the entry. A request goes through the connections of `chaffinch.http`, `app` (which path does
what) and `admission` (who may); `conductor` is what all of them steer: it runs one test at a time, each an `Active`.
`live` is the page for browsers, which shows what `status` says.
"""

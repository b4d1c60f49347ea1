# To build and install kva: 'make', then 'make install'. SwiftPM does the build.
#
#   PREFIX   the prefix of installed paths, /usr/local
#   DESTDIR  a directory to install into instead of /
#   KVA      the program to install
#   RUN      a command that runs it, such as an emulator, if this machine cannot

PREFIX ?= /usr/local
DESTDIR ?=
KVA ?= .build/release/kva
RUN ?=

share = $(DESTDIR)$(PREFIX)/share
zsh = $(share)/zsh/site-functions

.PHONY: all check install

all:
	swift build -c release --product kva

check:
	swift test

install:
	install -D $(KVA) $(DESTDIR)$(PREFIX)/bin/kva
	install -D -m 644 -t $(share)/man/man1 man/*.1
	install -D -m 644 -t $(share)/man/man5 man/*.5
	install -D -m 644 -t $(share)/man/man7 man/*.7
	install -d $(share)/bash-completion/completions $(zsh) $(share)/fish/vendor_completions.d
	$(RUN) $(KVA) --generate-completion-script bash | sed '1{/^#!/d;}' > $(share)/bash-completion/completions/kva
	$(RUN) $(KVA) --generate-completion-script zsh > $(zsh)/_kva
	$(RUN) $(KVA) --generate-completion-script fish > $(share)/fish/vendor_completions.d/kva.fish
	install -D -m 644 -t $(share)/kva/schema man/schema/*.json
	install -D -m 644 -t $(share)/kva packaging/debuggers/kva.gdb packaging/debuggers/kva_lldb.py
	install -D -m 644 -t $(share)/doc/kva README.md CHANGELOG.md
	install -D -t $(share)/doc/kva/examples/shell Examples/shell/*
	install -D -m 644 -t $(share)/doc/kva/examples/python Examples/python/*.py

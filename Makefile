# make run · make test · make bench        (Python 3.11 or newer and make are all that is needed)
VENV := .venv
export UV_PYTHON_DOWNLOADS := never

.PHONY: run test lint bench screenshots clean

run: $(VENV)/installed-runtime
	@exec $(VENV)/bin/python manage.py up --with-parent

test: $(VENV)/installed-dev
	@exec .ci/suite

lint: $(VENV)/installed-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

bench: $(VENV)/installed-dev
	@exec $(VENV)/bin/python -m tests.benchmarks $(ARGS)

# Pictures of every page in data/screenshots, or in the folder ARGS.
screenshots: $(VENV)/installed-dev
	@exec deploy/screenshots $(ARGS)

# One environment for both: development only adds packages, so nothing is installed back and forth.
$(VENV)/installed-runtime: requirements.txt deploy/install
	@deploy/install $(VENV) requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed-runtime
	@deploy/install $(VENV) requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .boot

"""Proves that every test can fail: runs those that survived so far against each kind of faulty proxy, until none is left.

`tests/clients/venv/bin/python tests/blackbox/prove.py [FAULT …] [test_….py …]`, all of either by default. Takes about ten minutes; exit
status 1 if a test outlives all faults.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

MODES = "straight harsh corrupt lose strip flatten welcoming deaf fragile eager reset hasty polite unretain twice lower own_pings no_pings cling grant"
HERE = pathlib.Path(__file__).parent
MODES_CHOSEN = [a for a in sys.argv[1:] if not a.endswith(".py")] or MODES.split()
FILES_CHOSEN = [a for a in sys.argv[1:] if a.endswith(".py")] or [str(HERE)]


def run(mode, only):
    """The names of the tests that passed and that failed with this fault."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        names = pathlib.Path(folder) / "names"
        names.write_text("\n".join(only))
        command = [sys.executable, "-m", "pytest", "-q", "-n", "6", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += [f"@{names}"] if only else FILES_CHOSEN
        # A failing test waits for its deadline. The last few may take their time: some need it, to see a keep alive run out.
        deadline = "10" if 0 < len(only) < 30 else "3"
        environment = {**os.environ, "BLACKBOX_STAND_IN": f"faulty:{mode}", "BLACKBOX_DEADLINE": deadline}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, cwd=HERE)
        passed, failed = [], []
        for case in xml.parse(report).iter("testcase"):
            name = f"{case.get('classname').split('.')[-1]}.py::{case.get('name')}"
            if case.find("skipped") is not None:  # Or expected to fail: that says nothing about the fault.
                continue
            # A test counts as killed only by what it saw on the proxied route.
            trouble = [t for t in case if t.tag in ("failure", "error")]
            direct = any("not the proxy's fault" in (t.text or "") for t in trouble)
            (failed if trouble and not direct else passed).append(name)
        return passed, failed


survivors = []
for mode in MODES_CHOSEN:
    survivors, killed = run(mode, survivors)
    print(f"{mode}: {len(killed)} tests fail, {len(survivors)} have not failed yet", flush=True)
    if not survivors:
        break
print("\n".join(survivors))
sys.exit(bool(survivors))

"""Attaches what the processes of a failing test said."""

import pytest


@pytest.fixture
def record_stage(request):
    request.node.stages = []
    return request.node.stages.append


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and call.when == "call":
        for stage in getattr(item, "stages", []):
            for process in stage.processes:
                report.sections.append((f"{process.title}, {stage.route} route", process.output()))

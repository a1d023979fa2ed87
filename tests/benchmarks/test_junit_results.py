"""What pytest's report says, read."""

from benchmarks.junit_results import JunitResults

REPORT = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite>
<testcase classname="tests.a" name="test_kills[one]" time="1.5"><properties>
  <property name="kills" value="{&quot;victim&quot;: &quot;one&quot;}"/>
  <property name="kills" value="{&quot;victim&quot;: &quot;two&quot;}"/>
</properties></testcase>
<testcase classname="tests.a" name="test_fails" time="2"><properties><property name="fuzz" value="{}"/></properties>
  <failure message="AssertionError: 1 wrong&#10;more of it">long text</failure></testcase>
<testcase classname="tests.a" name="test_breaks" time="0"><error message="no engine">text</error></testcase>
<testcase classname="tests.a" name="test_skipped" time="0"><skipped message="no GPU"/></testcase>
<testcase classname="tests.a" name="test_cleans_up_badly" time="1"/>
<testcase classname="tests.a" name="test_cleans_up_badly" time="1"><error message="still there">text</error></testcase>
</testsuite></testsuites>
"""


def test_ends_and_messages() -> None:
    tests = {each["name"]: each for each in JunitResults.from_junit(REPORT).tests}
    assert tests["tests.a.test_kills[one]"] == {"name": "tests.a.test_kills[one]", "outcome": "passed", "seconds": 1.5}
    assert {name.removeprefix("tests.a.test_"): each["outcome"] for name, each in tests.items()} == {
        "kills[one]": "passed",
        "fails": "failed",
        "breaks": "failed",
        "skipped": "skipped",
        "cleans_up_badly": "failed",
    }
    assert tests["tests.a.test_fails"]["message"] == "AssertionError: 1 wrong"


def test_measurements_by_name_also_of_tests_that_failed() -> None:
    assert JunitResults.from_junit(REPORT).measured == {"kills": [{"victim": "one"}, {"victim": "two"}], "fuzz": [{}]}

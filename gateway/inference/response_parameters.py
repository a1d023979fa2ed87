"""What a response says about how it came about. Pure."""

from gateway.messages import ClassificationResult, DetectionResult, Parameter, Parameters


def result_parameters(result: DetectionResult | ClassificationResult) -> Parameters:
    """Build, reason, stage times and, for a cascade, how often each alias ran."""
    times = [frame.times for frame in result.frames]
    stages = {
        "queue": max(time.queue for time in times),
        "decode": max(time.decode for time in times),
        "letterbox": max(time.letterbox for time in times),
        "infer": max(time.infer for time in times),
        "postprocess": max(time.postprocess for time in times),
    }
    parameters: dict[str, Parameter] = {
        "outpost_build": result.build,
        "outpost_reason": result.reason,
        "outpost_stage_us": ",".join(f"{name}={round(seconds * 1e6)}" for name, seconds in stages.items()),
    }
    trace = result.cascade if isinstance(result, DetectionResult) else None
    if trace is not None:
        counts = {trace.first: len(trace.verdicts), trace.then: sum(trace.executed)}
        parameters["outpost_executed"] = ",".join(f"{alias}={count}" for alias, count in counts.items())
    return parameters

"""How workers end: told to stop, deleted when their logs are up, or when they are not heard of again."""

from ember.model.states import JobRunState
from ember.plan import logs
from ember.plan.actions import Action, DeleteWorker, DropRequest, StopWorker
from ember.plan.view import RunView, Shard
from ember.plan.workers import Worker


def clean_up(run: RunView, shard: Shard, *, over: bool) -> list[Action]:
    """End the workers of a run that is over, and delete every pod that ended and whose logs are up."""
    actions: list[Action] = []
    if over:
        actions += [DropRequest(request) for request in run.waiting]
    stop = over or (run.state is JobRunState.CANCELLING)
    keeps_logs = bool(logs.prefixes(run, shard.application, shard.settings))
    # Those that ended before the job began are counted (`RunView.driver_cold`), so they stay until it has.
    counted = () if over or run.state is JobRunState.RUNNING else run.unused
    for worker in (worker for worker in run.workers if worker not in counted):
        steps = end_worker(worker, shard, stop=stop or worker in run.surplus, keeps_logs=keeps_logs)
        if worker is run.driver and run.executors:  # they are its children: with it they would go before their logs
            steps = [step for step in steps if not isinstance(step, DeleteWorker)]
        actions += steps
    return actions


def end_worker(worker: Worker, shard: Shard, *, stop: bool, keeps_logs: bool) -> list[Action]:
    """What a worker that shall end, or has ended, needs next."""
    key = (worker.namespace, worker.name)
    if worker.ended:
        if (worker.logs_complete or not keeps_logs or logs.given_up(worker, shard)) and not worker.deleting:
            return [DeleteWorker(key, worker.uid)]
        return []
    if worker.abandoned:
        return [DeleteWorker(key, worker.uid)]
    if worker.is_untold(shard.now) and not worker.stop:
        return [StopWorker(key, worker.uid, "its launcher asks no more for what to do")]
    if not (stop or worker.stop):
        return []
    if not worker.started and not worker.running:  # there is no launcher to tell, and there are no logs
        return [DeleteWorker(key, worker.uid)]
    if not worker.stop:
        return [StopWorker(key, worker.uid, "the job run is over")]
    return [DeleteWorker(key, worker.uid)] if worker.is_deaf(shard.now) else []

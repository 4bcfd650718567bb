"""Jobs keep their order and name their failures, on every backend."""

import copy
import pickle
from types import ModuleType

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.parallel import JobError, run_jobs


def draw(seed):
    """A number that depends on the seed alone."""
    return float(torch.rand((), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)), torch.get_num_threads()


def fails_on_three(item):
    if item == 3:
        raise ValueError("three")
    return item


@pytest.mark.parametrize("backend", ["threading", "loky", "dask"])
def test_backends_agree_with_one_after_another(backend):
    here = [draw(seed)[0] for seed in range(6)]
    threads = torch.get_num_threads()
    there = run_jobs(draw, range(6), jobs=2, backend=backend)
    assert torch.get_num_threads() == threads
    assert [value for value, _ in there] == here
    assert {threads for _, threads in there} == {1}


@pytest.mark.parametrize("backend", ["sequential", "loky"])
def test_a_failure_names_its_item(backend):
    with pytest.raises(JobError, match="the job for 3 failed: ValueError: three"):
        run_jobs(fails_on_three, range(5), jobs=2, backend=backend)


def test_an_address_of_a_running_cluster_and_a_progress_bar():
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        found = run_jobs(abs, [-3, 2, -1], jobs=2, backend="dask", cluster=cluster.scheduler_address, description="jobs")
    assert found == [3, 2, 1]


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="'backend'"):
        run_jobs(abs, [1], backend="mpi")
    with pytest.raises(ArgumentError, match="'jobs'"):
        run_jobs(abs, [1], jobs=0)


def test_packages_that_are_called_go_to_other_processes():
    """A function of a script takes the modules that it uses along."""
    packages = [package for package in (er.symmetrize, er.discover) if isinstance(package, ModuleType) and callable(package)]
    assert len(packages) == 2
    for package in packages:
        assert pickle.loads(pickle.dumps(package)) is package
        assert copy.deepcopy(package) is package

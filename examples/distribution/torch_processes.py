"""PyTorch: `DistributedDataParallel` in two processes, as the Keras guide does it.

    python examples/distribution/torch_processes.py control   whether Keras's fit trains one model
    python examples/distribution/torch_processes.py           a custom training loop, profiled

The loop is that of https://keras.io/guides/distributed_training_with_torch/. It has no `fit`,
so it has no callback. Each process therefore profiles its own shard of the data. Afterwards the
profiles are added up, and the sum is compared with the target.
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

from processes import profiled


def worker(rank, port, control):
    import torch
    import torch.distributed as dist
    import workload

    import keras_shiftguard as sg

    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    (x, y), _, _ = workload.digits(rows=49)
    model = workload.network()
    if control:
        # Each process has half of the data. They train together and end with the same weights.
        model.fit(x[rank::2], y[rank::2], batch_size=8, shuffle=False, verbose=0)
        mine = torch.cat([w.detach().flatten() for w in model.parameters()])
        both = [torch.zeros_like(mine) for _ in range(2)]
        dist.all_gather(both, mine)
        same = torch.allclose(*both)
        print("a plain fit", "trains one model" if same else "trains two models, one a process")
        return
    shard = torch.utils.data.Subset(
        torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)),
        range(rank, len(x), 2),  # the split of DistributedSampler, without repeated rows
    )
    loader = torch.utils.data.DataLoader(shard, batch_size=8)
    ddp = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.01)
    with ddp.join():  # one process may have a shorter last batch, or one batch less
        for images, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(ddp(images), labels.long()).backward()
            optimizer.step()
    seen = sg.profile(loader, model=model)
    seen.save(Path(os.environ["FOLDER"]) / f"{rank}.profile")
    print(f"process {rank}: {seen.num_samples} rows, {seen.outputs.num_samples} answers")
    dist.destroy_process_group()


profiled(__file__, worker)

from pyinfra import host
from pyinfra.operations import files

files.directory("/srv/bench", mode="755")
for n in range(1, host.data.count + 1):
    files.put(f"files/file-{n}", f"/srv/bench/file-{n}", mode="644")

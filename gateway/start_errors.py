"""Why the gateway cannot start: each says what to do.

StartError
├── StateFolderUnusable
├── StateFolderInUse
├── SeedUnusable
├── MountedSeedUnreadable
├── MountedSeedIsNoFolder
├── MountedSeedMisnamed
├── SeedModelsUnknown
├── PortTaken
├── SecretUnusable      a certificate, key or token file
├── TritonNotInstalled
├── LibpythonMissing
├── TritonUnusable      its program does not run here
├── TritonNotStarted    it cannot be executed, or its folder cannot be written
├── TritonDied          it ended while it was started
├── SharedMemoryTooSmall
├── PreprocessingImpossible     the GPU was asked for, and cannot be used
└── WorkerNotStarted    a worker's own process; it says why
"""

from pathlib import Path


class StartError(Exception):
    """The command ends with this sentence and exit code 2."""


class StateFolderUnusable(StartError):
    """The state folder cannot be made or written."""

    def __init__(self, folder: Path, reason: str, user_id: int) -> None:
        super().__init__(
            f"the state folder {folder} cannot be used: {reason}; see that user {user_id} may write it and that"
            " it has free space, or choose another one with --state-dir"
        )


class StateFolderInUse(StartError):
    """Another one of its kind has the lock."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(
            f"another {owner} uses the state folder {folder}; stop it, or choose another one with --state-dir"
        )


class SeedUnusable(StartError):
    """A file that ships with the builds is malformed or cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be used: {reason}; mend or remove it, or choose another --seed-dir")


class MountedSeedUnreadable(StartError):
    """A folder was mounted for its builds, and what is in it cannot be seen."""

    def __init__(self, path: Path, reason: str, user_id: int) -> None:
        self.path = path
        super().__init__(
            f"the mounted builds cannot be used: user {user_id} cannot read {path}: {reason}; let that user read the"
            " folder and all that is in it (chmod -R a+rX), or mount another one (--mounted-seed-dir; Compose:"
            " OUTPOST_MODELS)"
        )


class MountedSeedIsNoFolder(StartError):
    """A file was mounted where a folder of builds belongs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"the mounted builds cannot be used: {path} is no folder; mount the folder that the builds are in"
            " (--mounted-seed-dir; Compose: OUTPOST_MODELS)"
        )


class MountedSeedMisnamed(StartError):
    """A mounted folder has no builds but folders that look like builds."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        super().__init__(
            f"the mounted builds cannot be used: {', '.join(map(str, paths))}: the folder of a build is named"
            " <model>-<major.minor.patch>_<hardware class>, as defects-1.2.0_x86-cpu, and so is the model of its"
            " config.pbtxt; name both so (outpost-compile does), or mount another folder (--mounted-seed-dir; Compose:"
            " OUTPOST_MODELS)"
        )


class SeedModelsUnknown(StartError):
    """Models were named that have no build, neither in the folder nor in the state folder."""

    def __init__(self, unknown: tuple[str, ...], known: tuple[str, ...], folder: Path) -> None:
        super().__init__(
            f"--seed-models names {', '.join(unknown)}, and {folder} has builds of {', '.join(known) or 'no model'};"
            " name some of these, or none for all of them (Compose: OUTPOST_SEED_MODELS)"
        )


class PortTaken(StartError):
    """Something listens there already."""

    def __init__(self, name: str, host: str, port: int, reason: str) -> None:
        self.port = port
        option = name.replace("_", "-")
        super().__init__(
            f"{name} {host}:{port} cannot be opened: {reason}; stop what listens there ('ss -ltnp' shows it),"
            f" or choose another port with --{option}"
        )


class SecretUnusable(StartError):
    """A file that decides who may ask, or keeps it private, cannot be used."""

    def __init__(self, setting: str, path: Path, reason: str) -> None:
        option = setting.replace("_", "-")
        super().__init__(f"--{option} {path} cannot be used: {reason}; mend the file, or name another one")


class TritonNotInstalled(StartError):
    """The wheel that carries Triton, or the installed Triton that ``triton_root`` names, is missing or incomplete."""

    def __init__(self, reason: str, root: Path | None = None) -> None:
        remedy = (
            "install it with 'make setup' (Linux, glibc 2.35 or newer)"
            if root is None
            else f"install what is missing, or name another Triton than {root} with --triton-root"
        )
        super().__init__(
            f"the embedded Triton cannot be used: {reason}; {remedy}, or use a running one with"
            " --triton grpc://host:port"
        )


class TritonUnusable(StartError):
    """The program is there, and does not run as a Triton does."""

    def __init__(self, server: Path, said: str) -> None:
        super().__init__(
            f"{server} --help does not say what it can do: {said}; see that it runs on this machine (libraries,"
            " architecture), or name another Triton with --triton-root"
        )


class LibpythonMissing(StartError):
    """Triton's Python backend needs Python as a shared library."""

    def __init__(self, library: str, searched: tuple[str, ...]) -> None:
        package = library.split(".so", maxsplit=1)[0]
        super().__init__(
            f"Triton's Python backend needs {library}, which is in none of {', '.join(searched)};"
            f" install it (Debian, Ubuntu: apt install {package}), or use a Python built with --enable-shared"
        )


class TritonNotStarted(StartError):
    """The operating system refuses."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Triton cannot be started: {reason}; check the free space and the owner of the state folder")


class TritonDied(StartError):
    """Triton ended while it was started."""

    def __init__(self, exit_code: int, log_file: Path | None, last_lines: str) -> None:
        said = "its output stands above" if log_file is None else f"the end of {log_file}:\n{last_lines}"
        super().__init__(f"Triton ended with {exit_code} at its start; {said}")


class SharedMemoryTooSmall(StartError):
    """Triton's backends cannot get the memory that they share with the server."""

    def __init__(self, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"shared memory has {free_bytes / 2**20:.0f} MiB free, and Triton's backends need"
            f" {needed_bytes / 2**20:.0f}: give the container more (docker run: --shm-size; compose: set"
            " OUTPOST_SHARED_MEMORY_SIZE, then 'docker compose down' and 'docker volume rm' with the name that"
            " 'docker volume ls --filter name=shared-memory' shows, for a volume that exists keeps its size)"
        )


class PreprocessingImpossible(StartError):
    """Frames were to be prepared on a GPU that cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"frames cannot be prepared on the GPU: {reason}; mend that, or let the CPU do it with --preprocess cpu"
            " (auto: the GPU where it can be used)"
        )


class WorkerNotStarted(StartError):
    """A worker's process does not come to serve."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"worker {index} does not start: {reason}")

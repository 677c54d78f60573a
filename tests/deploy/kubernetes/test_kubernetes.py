#!/usr/bin/env python3
"""deploy/k8s without a cluster: test_kubernetes.py BERTD BERTCTL TOOLS, or test_kubernetes.py --write TOOLS

The objects are valid by the API's schemas and agree with one another; the chart and kustomize give the same ones; bertd
runs with the environment, and answers the probes, that the Deployment has. Mistakes on purpose are found. TOOLS is the
folder that tests/deploy/kubernetes/install fills; what is not there is skipped. --write has the chart make the files that
come from it.
"""
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE)), os.path.join(os.path.dirname(os.path.dirname(HERE)), "cli")]
from server import Server, has_model, model_dir
from standin import Hub

KEY = "a-key-of-this-test"
NOT_BUILT = "tests/deploy/kubernetes/run builds it"


def ordered(value):
    """Without what has no meaning: the order of things that have names."""
    if isinstance(value, dict):
        return {name: ordered(item) for name, item in value.items()}
    if isinstance(value, list):
        items = [ordered(item) for item in value]
        named = all(isinstance(item, dict) and "name" in item for item in items)
        return sorted(items, key=lambda item: item["name"]) if named else items
    return value


def by_name(objects):
    return {(item["kind"], item["metadata"]["name"]): ordered(item) for item in objects}


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def post(url, body, **headers):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def unknown_variables(server):
    """That bertd warned of."""
    records = [json.loads(line) for line in server.words]
    return [record["variable"] for record in records if record["message"].startswith("unknown variable")]


class Checked(unittest.TestCase):
    maxDiff = None

    def good(self, objects):
        self.assertGreater(len(objects), 3)
        self.assertEqual(SCHEMAS.problems(objects) + references.problems(objects), [])


class Base(Checked):
    def test_is_valid(self):
        self.good(render.base())

    def test_kustomization_lists_it(self):
        listed = render.parse(render.read("deploy/k8s/base/kustomization.yaml"))[0]["resources"]
        self.assertEqual([f"base/{name}" for name in listed], sorted(render.BASE))

    def test_mistakes_are_found(self):
        for kinds, check in ((mistakes.BY_SCHEMA, lambda o: SCHEMAS.problems(o, schemas.RELEASES[-1:])),
                             (mistakes.BY_REFERENCE, references.problems)):
            for name, (make, word) in kinds.items():
                with self.subTest(name):
                    objects = copy.deepcopy(render.base())
                    make(objects)
                    self.assertIn(word, " ".join(check(objects)))


class Rendered(Checked):
    @classmethod
    def setUpClass(cls):
        if not TOOLS.there:
            raise unittest.SkipTest(f"no helm and kustomize: {NOT_BUILT}")

    def test_the_chart_made_the_files(self):
        for path in render.MADE:
            self.assertEqual(render.read(f"deploy/k8s/{path}"), TOOLS.from_chart(path), f"{path}: see run --write")

    def test_lint(self):
        for component in (None, *render.COMPONENTS):
            TOOLS.lint(component)

    def same(self, by_kustomize, by_chart):
        self.good(by_kustomize)
        self.assertEqual(by_name(by_kustomize), by_name(by_chart))

    def test_the_same_by_kustomize(self):
        self.same(TOOLS.kustomize(os.path.join(render.K8S, "base")), render.parse(TOOLS.helm()))
        for component in render.COMPONENTS:
            with self.subTest(component):
                self.same(TOOLS.with_components(component), render.parse(TOOLS.helm(component)))

    def test_all_components_together(self):
        self.good(TOOLS.with_components(*render.COMPONENTS))

    def test_the_example(self):
        objects = TOOLS.kustomize(os.path.join(render.K8S, "example"))
        self.good(objects)
        self.assertEqual({item["metadata"]["namespace"] for item in objects}, {"embeddings"})
        pod = mistakes.pod(objects)
        images = {item["image"] for item in pod["initContainers"] + pod["containers"]}
        self.assertEqual(images, {"registry.example/bertd:0.1.0"})

    def test_other_values(self):
        for option in ("model.claim=models,model.path=all-MiniLM-L6-v2", "tls.secret=bertd-tls", "apiKeys.secret=",
                       "drainSeconds=30", "image.repository=r.example/b,image.tag=v2", "nodeSelector.disk=ssd",
                       "tolerations[0].key=cards,tolerations[0].operator=Exists", "networkPolicy.enabled=false",
                       "networkPolicy.egress[0].ports[0].port=4318"):
            with self.subTest(option):
                self.good(render.parse(TOOLS.helm(None, "--set", option)))
        self.good(render.parse(TOOLS.helm(None, "--set-string", "env.BERTD_AUTO_CHUNK=true")))

    def test_another_release(self):
        objects = render.parse(TOOLS.helm(name="other"))
        self.good(objects)
        mine = {key for key in by_name(objects)} & {key for key in by_name(render.base())}
        self.assertEqual(mine, set())

    def test_values_that_are_wrong(self):
        for option in ("replica=3", "replicas=two", "model.revision=main", "image.pullPolicy=Sometimes", "xrt.resource=card",
                       "xrt.resource=amd.com/card", "autoscaling.cpu=50"):
            with self.subTest(option), self.assertRaisesRegex(RuntimeError, "values don't meet|don't meet the specifications"):
                TOOLS.helm(None, "--set", option)

    def test_drift_is_found(self):
        """An object, and a label, that the chart has and the base has not."""
        more = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bertd\n"
        label = '{{- define "bertd.labels" -}}\nteam: search\n'
        for name, make in (("templates/more.yaml", lambda _: more),
                           ("templates/_helpers.tpl", lambda text: text.replace(label.split("team")[0], label))):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                chart = shutil.copytree(render.CHART, os.path.join(folder, "bertd"))
                path = os.path.join(chart, name)
                text = make(render.read(path) if os.path.exists(path) else "")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                made = render.parse(TOOLS.helm(chart=chart))
                self.assertNotEqual(by_name(made), by_name(render.base()))


class PodMonitor(Checked):
    def test_by_the_operators_schema(self):
        if not SCHEMAS.podmonitor:
            self.skipTest(f"no schema of the Prometheus operator: {NOT_BUILT}")
        monitor = render.parse(render.read("deploy/k8s/components/monitoring/podmonitor.yaml"))
        self.assertEqual(SCHEMAS.problems(monitor), [])
        monitor[0]["spec"]["podMetricsEndpoints"][0]["intervals"] = "15s"
        self.assertIn("intervals", " ".join(SCHEMAS.problems(monitor)))


class Running(Checked):
    """The Deployment's containers as processes: their volumes are folders, their ports free ones of the loopback interface."""

    @classmethod
    def setUpClass(cls):
        if not has_model():
            raise unittest.SkipTest("there is no model")
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.pod = mistakes.pod(render.base())
        cls.server = cls.pod["containers"][0]
        cls.folders = {mount["mountPath"]: os.path.join(folder, mount["name"]) for mount in cls.server["volumeMounts"]}
        for path in cls.folders.values():
            os.mkdir(path)
        with open(os.path.join(cls.folders["/keys"], "keys"), "w", encoding="ascii") as file:
            file.write(f"tester {KEY}\n")
        cls.pull()
        environment = {name: cls.place(value) for name, value in references.environment(cls.server).items()}
        cls.bertd = cls.enterClassContext(Server(
            BERTD, "--hostname", "127.0.0.1", "--admin-hostname", "127.0.0.1", "--admin-port", "0", "--boards", "2",
            "--enable-fault-injection", model=environment.pop("MODEL_ID"), environment=environment))

    @classmethod
    def place(cls, text):
        """Text of the Deployment with folders of this machine for its volumes."""
        for mounted, folder in cls.folders.items():
            text = re.sub(rf"^{mounted}(?=/|$)", folder, text)
        return text

    @classmethod
    def pull(cls):
        """The init container, with a hub on the loopback interface that has the model."""
        init, = cls.pod["initContainers"]
        files = {}
        for parent, _, names in os.walk(model_dir()):
            for name in names:
                with open(os.path.join(parent, name), "rb") as file:
                    files[os.path.relpath(os.path.join(parent, name), model_dir())] = file.read()
        with Hub(files, large=["model.safetensors"]) as hub:
            hub.repo, hub.commit = init["args"][-1], init["args"][init["args"].index("--revision") + 1]
            hub.revision = hub.commit
            assert init["command"] == ["bertctl"]
            subprocess.run([BERTCTL, *map(cls.place, init["args"])], check=True, stdout=subprocess.DEVNULL,
                           env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HF_ENDPOINT": hub.url, "no_proxy": "*"})

    def probe(self, name):
        asked = self.server[name]["httpGet"]
        self.assertEqual(asked["port"], "admin")
        return get(self.bertd.admin_url + asked["path"])[0]

    def test_probes(self):
        """Without a key, and from the admin listener. While no board is in service only readiness is red."""
        self.assertEqual([self.probe(name) for name in ("startupProbe", "readinessProbe", "livenessProbe")], [200] * 3)
        for board in (0, 1):
            post(self.bertd.admin_url + "/admin/faults", {"board": board, "kind": "load", "count": 40},
                 Authorization=f"Bearer {KEY}")
        while (ready := self.probe("readinessProbe")) == 200:
            self.assertEqual(self.probe("livenessProbe"), 200)
        self.assertEqual(ready, 503)
        self.assertEqual(self.probe("livenessProbe"), 200)
        while self.probe("readinessProbe") == 503:
            self.assertEqual(self.probe("livenessProbe"), 200)

    def test_clients(self):
        """Who has a key is served, at the main port; metrics and boards are not there."""
        body = {"inputs": "Hello, world"}
        vectors = post(self.bertd.url + "/embed", body, Authorization=f"Bearer {KEY}")
        self.assertEqual(len(vectors[0]), 384)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            post(self.bertd.url + "/embed", body)
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        self.assertEqual(get(self.bertd.url + "/metrics", Authorization=f"Bearer {KEY}")[0], 404)
        models = json.loads(get(self.bertd.url + "/v1/models", Authorization=f"Bearer {KEY}")[1])
        self.assertEqual(models["data"][0]["id"], references.environment(self.server)["SERVED_MODEL_NAME"])

    def test_every_variable_is_one_of_bertds(self):
        self.assertEqual(unknown_variables(self.bertd), [])
        told = subprocess.run([BERTD, "--help"], capture_output=True, text=True).stdout
        known = set(re.findall(r"environment (\w+)\]", told))
        self.assertEqual(set(references.environment(self.server)) - known, set())

    def test_what_service_links_would_do(self):
        """A Service that is called bertd makes BERTD_PORT and others: bertd warns of them, so they are switched off."""
        with Server(BERTD, "--boards", "1", environment={"BERTD_SERVICE_HOST": "10.0.0.1"}) as other:
            self.assertEqual(unknown_variables(other), ["BERTD_SERVICE_HOST"])

    def test_the_metric_of_the_autoscaler(self):
        """bertd exports it, the adapter's rule names it, and Prometheus sums it over the classes of a pod."""
        scaler = render.parse(render.read("deploy/k8s/components/autoscaling/hpa.yaml"))[0]
        metric, = [item["pods"]["metric"]["name"] for item in scaler["spec"]["metrics"] if item["type"] == "Pods"]
        page = get(self.bertd.admin_url + "/metrics")[1]
        self.assertEqual(re.findall(rf"^{metric}\{{(\w+)=", page, re.M), ["class"] * 2)
        rule, = render.parse(render.read("deploy/k8s/components/autoscaling/prometheus-adapter.yaml"))[0]["rules"]["custom"]
        self.assertTrue(rule["seriesQuery"].startswith(metric + "{"))
        if not shutil.which("promtool"):
            self.skipTest("there is no promtool")
        query = rule["metricsQuery"]
        for old, new in (("<<.Series>>", metric), ("<<.LabelMatchers>>", 'namespace="n",pod=~"a|b"'), ("<<.GroupBy>>", "pod")):
            self.assertIn(old, query)
            query = query.replace(old, new)
        series = [{"series": f'{metric}{{namespace="n",pod="{pod}",class="{kind}"}}', "values": f"{value}x20"}
                  for pod, kind, value in (("a", "interactive", 3), ("a", "bulk", 4), ("b", "interactive", 1))]
        asked = {"expr": query, "eval_time": "1m", "exp_samples": [{"labels": '{pod="a"}', "value": 7},
                                                                   {"labels": '{pod="b"}', "value": 1}]}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"tests": [{"interval": "10s", "input_series": series, "promql_expr_test": [asked]}]}, file)
            file.flush()
            tested = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True)
        self.assertEqual(tested.returncode, 0, tested.stdout + tested.stderr)


class Xrt(Checked):
    """Boards on cards, where no card is: what bertd makes of the component's variables."""
    # As far as a machine without a card gets: the host process is not there, or looks for XRT.
    AT_THE_CARD = r"--board xrt:0: (there is no \S+/bertd-xrt-host|XILINX_XRT is not set)"

    @classmethod
    def setUpClass(cls):
        component = render.parse(render.read("deploy/k8s/components/xrt/kustomization.yaml"))[0]
        cls.patch = render.parse(component["patches"][0]["patch"])
        cls.variables = references.environment(mistakes.server(cls.patch))

    def started(self, **changes):
        """What bertd ends with."""
        if not has_model():
            self.skipTest("there is no model")
        tried = subprocess.run([BERTD, "--model-id", model_dir()], capture_output=True, text=True, timeout=60,
                               env={"PATH": os.environ["PATH"], **self.variables, **changes})
        self.assertEqual(tried.returncode, 2, tried.stderr)
        return tried.stderr

    def test_bertd_goes_as_far_as_the_card(self):
        self.assertEqual(self.variables["BERTD_BOARD"], "xrt:0")
        self.assertRegex(self.started(), self.AT_THE_CARD)
        self.assertRegex(self.started(BERTD_BOARD="xrt:0,xrt:1"), self.AT_THE_CARD)

    def test_what_it_would_refuse(self):
        self.assertIn("which card?", self.started(BERTD_BOARD="xrt"))
        self.assertIn("needs --xclbin", self.started(BERTD_XCLBIN=""))

    def test_the_xclbin_is_in_its_volume(self):
        mount, = mistakes.server(self.patch)["volumeMounts"]
        volume, = mistakes.pod(self.patch)["volumes"]
        self.assertEqual(mount["name"], volume["name"])
        self.assertTrue(self.variables["BERTD_XCLBIN"].startswith(mount["mountPath"] + "/"))


class Cards(Checked):
    """Of the chart: as many boards as the pod asks for, from any volume."""

    @classmethod
    def setUpClass(cls):
        if not TOOLS.there:
            raise unittest.SkipTest(f"no helm and kustomize: {NOT_BUILT}")

    def server(self, *options):
        objects = render.parse(TOOLS.helm("xrt", *options))
        self.good(objects)
        return mistakes.server(objects)

    def test_several(self):
        server = self.server("--set", "xrt.count=3")
        self.assertEqual(references.environment(server)["BERTD_BOARD"], "xrt:0,xrt:1,xrt:2")
        self.assertEqual([count for name, count in server["resources"]["limits"].items() if "/" in name], [3])

    def test_a_folder_of_the_node(self):
        options = "xrt.volume.persistentVolumeClaim=null,xrt.volume.hostPath.path=/opt/bertd,xrt.xclbin=u250/engine.xclbin"
        server = self.server("--set", options)
        self.assertEqual(references.environment(server)["BERTD_XCLBIN"], "/xclbin/u250/engine.xclbin")

    def test_both_containers_have_the_image(self):
        pod = mistakes.pod(render.parse(TOOLS.helm("xrt")))
        self.assertEqual({item["image"].split(":")[0] for item in pod["initContainers"] + pod["containers"]}, {"bertd-xrt"})


class Words(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"\nskipped: {reason}", flush=True)  # a line of its own, which tests/run lists


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    try:
        import mistakes
        import references
        import render
        import schemas
        TOOLS = render.Tools(sys.argv[-1])
        if sys.argv[1] == "--write":
            for path in render.MADE:
                text = TOOLS.from_chart(path)
                with open(os.path.join(render.K8S, path), "w", encoding="utf-8") as file:
                    file.write(text)
            sys.exit(0)
        SCHEMAS = schemas.Schemas(sys.argv[-1])
    except (ImportError, FileNotFoundError) as error:
        print(f"skipped: {error}: tests/run and tests/deploy/kubernetes/run install it")
        sys.exit(77)
    BERTD, BERTCTL, _ = sys.argv[1:]
    unittest.main(argv=sys.argv[:1], testRunner=unittest.TextTestRunner(resultclass=Words))

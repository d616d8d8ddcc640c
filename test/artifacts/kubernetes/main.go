// Judges Kubernetes manifests by Kubernetes' own code, without a cluster: strict decoding (unknown, double and wrongly
// typed fields), the validation of the API server after defaulting, and the Pod Security level that a workload needs.
// Services, ConfigMaps and roles are decoded strictly, not validated.
//
//	k8scheck file.yaml...     exit code 1 where something is wrong
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	coreconversion "k8s.io/kubernetes/pkg/apis/core/v1"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// workload is what the API server validates and Pod Security looks at; spec is nil where there is no pod in it.
type workload struct {
	errs field.ErrorList
	meta *metav1.ObjectMeta
	spec *core.PodSpec
}

func main() {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	levels, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic(err)
	}
	failed := false
	for _, name := range os.Args[1:] {
		for i, doc := range documents(name) {
			if err := judge(strict, levels, doc); err != nil {
				failed = true
				fmt.Printf("%s[%d]: %v\n", name, i, err)
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}

func documents(name string) [][]byte {
	raw, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	var all [][]byte
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			panic(err)
		}
		all = append(all, doc)
	}
}

func judge(strict runtime.Decoder, levels policy.Evaluator, doc []byte) error {
	if _, _, err := strict.Decode(doc, nil, nil); err != nil {
		return err
	}
	// With defaults, in the internal types that the validation takes.
	object, kind, err := legacyscheme.Codecs.UniversalDecoder().Decode(doc, nil, nil)
	if err != nil {
		return err
	}
	load := workloadOf(object)
	if len(load.errs) > 0 {
		return load.errs.ToAggregate()
	}
	if load.spec == nil {
		fmt.Printf("%s: decoded\n", kind.Kind)
		return nil
	}
	level, err := levelOf(levels, load)
	if err == nil {
		fmt.Printf("%s: valid, Pod Security level %s\n", kind.Kind, level)
	}
	return err
}

func workloadOf(object runtime.Object) workload {
	opts := corevalidation.PodValidationOptions{}
	switch o := object.(type) {
	case *apps.DaemonSet:
		return workload{appsvalidation.ValidateDaemonSet(o, opts), &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec}
	case *apps.StatefulSet:
		errs := appsvalidation.ValidateStatefulSet(o, appsvalidation.StatefulSetValidationOptions{}, opts)
		return workload{errs, &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec}
	case *apps.Deployment:
		return workload{appsvalidation.ValidateDeployment(o, opts), &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec}
	case *core.Pod:
		return workload{corevalidation.ValidatePodCreate(o, opts), &o.ObjectMeta, &o.Spec}
	}
	return workload{}
}

// levelOf is the strictest level that admits the pod.
func levelOf(levels policy.Evaluator, load workload) (api.Level, error) {
	var spec corev1.PodSpec
	if err := coreconversion.Convert_core_PodSpec_To_v1_PodSpec(load.spec, &spec, nil); err != nil {
		return "", err
	}
	for _, level := range []api.Level{api.LevelRestricted, api.LevelBaseline} {
		version := api.LevelVersion{Level: level, Version: api.LatestVersion()}
		if policy.AggregateCheckResults(levels.EvaluatePod(version, load.meta, &spec)).Allowed {
			return level, nil
		}
	}
	return api.LevelPrivileged, nil
}

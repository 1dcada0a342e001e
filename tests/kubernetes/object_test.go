package kubernetes

// object is what the tests look at of a manifest, whatever its kind.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace     string
		Labels, Annotations map[string]string
	}
	Data map[string]string // of a ConfigMap
	Spec struct {
		// Of a workload.
		ServiceName string
		Replicas    int
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		VolumeClaimTemplates []struct{ Metadata struct{ Name string } }
		// Of a Service.
		Type  string
		Ports []servicePort
		// Of a NetworkPolicy.
		PodSelector labelSelector
		Ingress     []struct {
			From  []any
			Ports []struct{ Port any }
		}
		// Of a Service: labels; of all others: matchLabels.
		Selector map[string]any
	}
}

type labelSelector struct{ MatchLabels map[string]string }

type servicePort struct {
	Name       string
	Port       int
	TargetPort any
}

type pod struct {
	TerminationGracePeriodSeconds int
	HostNetwork                   bool
	EnableServiceLinks            *bool
	SecurityContext               struct {
		FSGroupChangePolicy   string
		RunAsUser, RunAsGroup int
		Sysctls               []struct{ Name, Value string }
	}
	Containers []container
	Volumes    []volume
}

type container struct {
	Name, Image   string
	Command, Args []string
	Ports         []struct {
		Name, Protocol, HostIP  string
		ContainerPort, HostPort int
	}
	Env []struct {
		Name, Value string
		ValueFrom   struct{ FieldRef struct{ FieldPath string } }
	}
	EnvFrom      []struct{ ConfigMapRef struct{ Name string } }
	VolumeMounts []struct {
		Name, MountPath string
		ReadOnly        bool
	}
	SecurityContext struct {
		AllowPrivilegeEscalation *bool
		Capabilities             struct{ Add, Drop []string }
	}
	StartupProbe, LivenessProbe, ReadinessProbe *probe
	Lifecycle                                   struct {
		PreStop struct{ Sleep struct{ Seconds int } }
	}
}

type probe struct {
	HTTPGet *struct {
		Path, Scheme string
		Port         any
	} `json:"httpGet"`
	TCPSocket *struct{ Port any } `json:"tcpSocket"`
}

type volume struct {
	Name      string
	ConfigMap *struct{ Name string }
	Secret    *struct{ SecretName string }
}

// port returns the number of a container's port by its name; 0: it has none.
func (c container) port(name any) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

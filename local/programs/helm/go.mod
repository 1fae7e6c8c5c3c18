module ember.local/programs/helm

go 1.26

require helm.sh/helm/v4 v4.3.1

tool helm.sh/helm/v4/cmd/helm

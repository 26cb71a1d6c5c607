/** First texts of a new file: small, valid, and true to the APIs that they are of. */
export const templates: readonly { readonly kind: string; readonly text: string }[] = [
  {
    kind: 'VirtualService',
    text: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: my-service
  namespace: default
spec:
  hosts:
    - my-service
  http:
    - route:
        - destination:
            host: my-service
`,
  },
  {
    kind: 'DestinationRule',
    text: `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: my-service
  namespace: default
spec:
  host: my-service
  subsets:
    - name: v1
      labels:
        version: v1
`,
  },
  {
    kind: 'PeerAuthentication',
    text: `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: default
spec:
  mtls:
    mode: STRICT
`,
  },
  {
    kind: 'HTTPRoute',
    text: `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: my-service
  namespace: default
spec:
  parentRefs:
    - group: ""
      kind: Service
      name: my-service
  rules:
    - backendRefs:
        - name: my-service
          port: 80
`,
  },
];

import type { CertificateView, WorkloadView } from '../../core/contract/shapes.ts';
import { type FakeHost, found, type HandlersOf } from './fake-control-plane-host.ts';
import { demoCertificate, startMs } from './fake-mesh-data.ts';

export class FakeCertificates {
  readonly #host: FakeHost;
  readonly #workloads: () => readonly WorkloadView[];
  readonly #rotations = new Map<string, number>();

  constructor(host: FakeHost, workloads: () => readonly WorkloadView[]) {
    this.#host = host;
    this.#workloads = workloads;
  }

  handlers(): HandlersOf<'certificate'> {
    return {
      'certificate.list': () => this.#certificates(),
      'certificate.show': ({ workload }) => this.#one(workload),
      'certificate.rotate': (input) => {
        for (const view of this.#workloads())
          if (!('workload' in input) || input.workload === view.id)
            this.#rotations.set(view.id, (this.#rotations.get(view.id) ?? 0) + 1);
        this.#host.emit('certificates', { workload: 'workload' in input ? input.workload : '' });
        return this.#certificates();
      },
      'certificate.verify': () => ({
        ok: true,
        checks: [
          { name: 'chain', ok: true, message: 'leads to the root of this mesh' },
          { name: 'validity', ok: true, message: 'valid now' },
          { name: 'identity', ok: true, message: 'SPIFFE ID matches the workload' },
        ],
      }),
    };
  }

  #one(workload: string): CertificateView {
    const view = this.#certificates().find((one) => one.workload.id === workload || one.workload.name === workload);
    return found(view, workload);
  }

  #certificates() {
    return this.#workloads()
      .filter(({ identity }) => identity)
      .map((view) =>
        demoCertificate(
          view,
          this.#rotations.get(view.id) ?? 0,
          this.#rotations.has(view.id) ? this.#host.nowMs() : startMs,
        ),
      );
  }
}

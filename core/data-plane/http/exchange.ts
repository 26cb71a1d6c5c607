import type { HeadFields, ResponseHead } from './codec.ts';
import type { ExchangeOptions } from './exchange-parts.ts';
import { ExchangeRequest } from './exchange-request.ts';
import { isGrpcType, toGrpcAnswer } from './grpc-answer.ts';
import { maxHoldMs, smallBodyBytes } from './limits.ts';
import type { Shaping } from './request-faults.ts';
import type { BodyForm, CancelReason, MeshAnswer, ServerLoss } from './streams.ts';

/**
 * One request at a time: route, faults, attempts, both directions of the relay, and the record of it. Each request ends
 * exactly once, in `#finish`; the object serves the next one of the same client. Bodies stream: whoever cannot take more
 * bytes stops the other side.
 */
export class Exchange extends ExchangeRequest implements Shaping {
  #tunnelEnds = 0;
  #timer: NodeJS.Timeout | null = null;

  protected createShadow(options: ExchangeOptions): Exchange {
    return new Exchange(this.parts, options);
  }

  clientGone(reason: CancelReason): void {
    if (!this.busy) return;
    if (this.tunnel) {
      this.attempt.cancel(reason);
      this.#leave(false);
      return;
    }
    this.record.flag('DC');
    this.#finish(this.status, false);
  }

  /** The server closed before the answer was complete. */
  attemptLost(loss: ServerLoss): void {
    if (this.tunnel) {
      this.client.abort('lost');
      this.#leave(false);
      return;
    }
    if (this.status !== 0) {
      this.record.flag(loss.reason === 'protocol' ? 'UPE' : 'UC');
      this.client.abort(loss.reason);
      this.#finish(this.status, false);
      return;
    }
    this.forwarding.lost(loss);
  }

  // --- response ----------------------------------------------------------------------------------------------------

  onInterim(bytes: Buffer, head: ResponseHead): void {
    this.interim = true;
    this.record.bytes(0, head.end - head.start);
    this.client.sendInterim(bytes, head);
  }

  onHead(bytes: Buffer, head: ResponseHead, form: BodyForm, bodyStart: number, bodyEnd: number, isLast: boolean): void {
    if (this.forwarding.repeatsInsteadOf(bytes, head)) return;
    if (this.forwarding.exhausted) this.record.flag('URX');
    this.status = head.status;
    this.record.bytes(0, head.end - head.start + bodyEnd - bodyStart);
    const shaped = this.faults?.shape(bytes, head, this) ?? null;
    if (shaped !== null) {
      const goOn = this.work.sendHead(shaped, bytes, head, form, bodyStart, bodyEnd, isLast);
      if (!goOn) this.attempt.stream?.pauseResponse();
      return;
    }
    const goOn = this.work.sendHead(this.options.client, bytes, head, form, bodyStart, bodyEnd, isLast);
    if (isLast) this.#finish(head.status, this.requestDone);
    else if (!goOn) this.attempt.stream?.pauseResponse();
  }

  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (end > start) this.record.bytes(0, end - start);
    const shaped = this.faults?.shaped;
    if (shaped != null) {
      if (!shaped.sendBody(bytes, start, end, isLast)) this.attempt.stream?.pauseResponse();
      return;
    }
    const goOn = this.client.sendBody(bytes, start, end, isLast);
    if (isLast && this.tunnel) this.tunnelEnded();
    else if (isLast) this.#finish(this.status, this.requestDone);
    else if (!goOn) this.attempt.stream?.pauseResponse();
  }

  onTrailers(bytes: Buffer, trailers: HeadFields): void {
    const shaped = this.faults?.shaped;
    if (shaped != null) {
      shaped.sendTrailers(bytes, trailers);
      return;
    }
    this.client.sendTrailers(bytes, trailers);
    this.#finish(this.status, this.requestDone);
  }

  shapedDrained(): void {
    this.attempt.stream?.resumeResponse();
  }

  shapedEnded(complete: boolean): void {
    if (this.busy) this.#finish(this.status, complete && this.requestDone);
  }

  onTunnel(bytes: Buffer, head: ResponseHead): void {
    this.status = head.status;
    this.record.bytes(0, head.end - head.start);
    this.tunnel = true;
    this.#tunnelEnds = 0;
    this.#settle(head.status);
    this.client.openTunnel(bytes, head);
  }

  protected tunnelEnded(): void {
    this.#tunnelEnds += 1;
    if (this.#tunnelEnds === 2) this.#leave(true);
  }

  // --- endings -----------------------------------------------------------------------------------------------------

  onTimeout(): void {
    if (this.busy && this.status === 0) this.forwarding.timedOut();
    this.fail(504, 'UT', 'upstream request timeout');
  }

  protected fail(status: number, flag: string, body: string): void {
    if (!this.busy || this.tunnel) return;
    this.attempt.cancel('cancelled');
    if (this.status !== 0) {
      this.record.flag(flag);
      this.client.abort(flag === 'UT' ? 'timeout' : 'protocol');
      this.#finish(this.status, false);
    } else {
      this.answer({ status, flag, body });
    }
  }

  answer(answer: MeshAnswer): void {
    const { status, flag, body, headers, grpcStatus } = answer;
    if (this.#mayHold(flag)) {
      this.heldAnswer = () => this.answer(answer);
      this.#timer = setTimeout(this.heldAnswer, maxHoldMs);
      this.client.resumeRequest();
      return;
    }
    if (flag !== '') this.record.flag(flag);
    if (this.forwarding.exhausted) this.record.flag('URX');
    const plain = { status, flag, body, headers: this.work.answerHeaders(body, headers) };
    const told = grpcStatus === undefined ? plain : { ...plain, grpcStatus };
    const isPlain = this.client.protocol !== 'http/1.1' || answer.verbatim === true;
    const isGrpc = !isPlain && isGrpcType(this.request.header('content-type'));
    this.client.answer(isGrpc ? toGrpcAnswer(told) : told);
    this.#finish(status, this.requestDone && flag !== 'DPE');
  }

  /** A short body that the client sends unasked is awaited, so that its connection survives the answer. */
  #mayHold(flag: string): boolean {
    if (this.requestDone || this.heldAnswer !== null || flag === 'DPE' || flag === 'SI') return false;
    return this.form === 'length' && this.head.contentLength <= smallBodyBytes && !this.head.expectContinue;
  }

  #finish(status: number, complete: boolean): void {
    if (!this.busy) return;
    this.#settle(status);
    this.#leave(complete);
  }

  /** Records the request and stops everything that waits. */
  #settle(status: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.heldAnswer = null;
    const { timers, clock, admission } = this.parts;
    timers.remove(this);
    this.forwarding.close();
    this.faults?.close();
    if (this.admitted) admission?.requestEnded();
    this.admitted = false;
    if (this.routing !== null) this.record.close(status, clock.monotonicMs(), this.routing, this.request);
  }

  /** The exchange is over; the next request may come at once. */
  #leave(complete: boolean): void {
    this.attempt.end();
    this.replay.clear();
    this.head.shrink();
    this.tunnel = false;
    this.busy = false;
    this.options.finished(complete);
  }
}

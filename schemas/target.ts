import { type Static, Type } from '@sinclair/typebox';

/**
 * The shapes of targets in a tool's input. They only bound what reaches the policy (no leading "-", no white space, no
 * control character, ASCII); src/core/targets reads the value strictly and decides.
 */
export const HostSchema = Type.String({
  pattern: '^[A-Za-z0-9_:][A-Za-z0-9_.:-]*$',
  minLength: 1,
  maxLength: 254,
  description: 'One IPv4 or IPv6 address or one DNS name (internationalised names as xn-- labels). No list, no range.',
});

/** One address or one CIDR network. */
export const NetworkSchema = Type.String({
  pattern: '^[0-9A-Fa-f:][0-9A-Fa-f.:]*(/[0-9]{1,3})?$',
  minLength: 2,
  maxLength: 49,
  description: 'One address or one network in CIDR notation without host bits: 10.20.0.0/24.',
});

/** One address, name or CIDR network. */
export const HostOrNetworkSchema = Type.String({
  pattern: '^[A-Za-z0-9_:][A-Za-z0-9_.:-]*(/[0-9]{1,3})?$',
  minLength: 1,
  maxLength: 254,
  description: 'One address, one DNS name, or one network in CIDR notation without host bits: 10.20.0.0/24.',
});

/** A DNS name that is asked about, reverse names included. */
export const DomainSchema = Type.String({
  pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]*$',
  minLength: 1,
  maxLength: 254,
  description: 'One DNS name, for example lab.internal or 10.0.77.10.in-addr.arpa.',
});

/** A DNS server. */
export const ResolverSchema = Type.String({
  pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[0-9A-Fa-f:][0-9A-Fa-f.:]*)(:[0-9]{1,5})?$',
  minLength: 2,
  maxLength: 53,
  description: 'A DNS server as address or address:port, IPv6 with a port in brackets. In scope or the operator’s.',
});

/** One TCP or UDP port. */
export const PortSchema = Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port, 1 to 65535.' });

/** A list of ports, ranges and presets. */
export const PortsSchema = Type.String({
  pattern:
    '^(top100|top1000|all|[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?)(,(top100|top1000|all|[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?))*$',
  minLength: 1,
  maxLength: 1200,
  description: 'Ports and ranges like 22,80,8000-8010, or top100, top1000, all. At most 100 items.',
});

/** An http or https URL in parts, so that no parser has to find its host. */
export const UrlPartsSchema = Type.Object(
  {
    scheme: Type.Union([Type.Literal('http'), Type.Literal('https')], { description: 'http or https.' }),
    host: HostSchema,
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: '80 for http and 443 for https when left out.' }),
    ),
    path: Type.Optional(
      Type.String({
        pattern: '^/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*$',
        minLength: 1,
        maxLength: 1536,
        description: 'Path and query, percent-encoded, beginning with "/". "/" when left out.',
      }),
    ),
  },
  { additionalProperties: false, description: 'An http or https URL in parts.' },
);
export type UrlParts = Static<typeof UrlPartsSchema>;
